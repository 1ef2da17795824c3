/*
 * Says each line that it hears, with the time in front (milliseconds since 1970), and flushes nothing:
 * a program as the C library's manual has it.
 */
#include <stdio.h>
#include <time.h>

int
main(void)
{
	char line[256];
	struct timespec now;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		clock_gettime(CLOCK_REALTIME, &now);
		printf("%lld%03ld ", (long long)now.tv_sec, now.tv_nsec / 1000000);
		fputs(line, stdout);
	}
	return 0;
}
