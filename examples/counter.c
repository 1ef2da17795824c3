/*
 * Counts: one number a line, one line a second.  counter [UP-TO [SECONDS-BETWEEN]]
 *
 *	cc -o counter counter.c && wsgate --port=8080 ./counter 10
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void
pause_for(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };
	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

int
main(int argc, char **argv)
{
	long last = argc > 1 ? atol(argv[1]) : 10;
	double pause = argc > 2 ? atof(argv[2]) : 1;

	for (long n = 1; n <= last; n++) {
		if (n > 1)
			pause_for(pause);
		printf("%ld\n", n);
	}
	return 0;
}
