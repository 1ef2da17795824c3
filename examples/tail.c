/*
 * The last ten lines of a file, and each new one as soon as it is written.  tail FILE
 *
 *	cc -o tail tail.c && wsgate --port=8080 ./tail /var/log/syslog
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SHOWN = 10 };

/* Goes to where the last LINES lines of FILE begin. */
static void
seek_last(FILE *file, int lines)
{
	long at = -1;

	fseek(file, 0, SEEK_END);
	for (long end = ftell(file); end + at >= 0; at--) {
		fseek(file, end + at, SEEK_SET);
		/* The newline at the very end belongs to the last line. */
		if (getc(file) == '\n' && at < -1 && --lines == 0)
			return;
	}
	rewind(file);
}

int
main(int argc, char **argv)
{
	FILE *log = argc > 1 ? fopen(argv[1], "r") : NULL;
	char *line = NULL;
	size_t size = 0;

	if (log == NULL) {
		perror(argc > 1 ? argv[1] : "usage: tail FILE");
		return 1;
	}
	seek_last(log, SHOWN);
	for (;;) {
		/* Half a line may go out as it is: wsgate waits for its end. */
		while (getline(&line, &size, log) > 0)
			fputs(line, stdout);
		fflush(stdout);
		clearerr(log);
		nanosleep(&(struct timespec){ .tv_nsec = 200 * 1000 * 1000 }, NULL);
	}
}
