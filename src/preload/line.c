/*
 * libwsgate-line.so, which stands in LD_PRELOAD of a program and of all that it starts: what is printed
 * is written at the end of its line, also into a pipe. Only the C library's stdout is touched, once,
 * before main(); a program that chooses a buffer of its own later has it.
 *
 * It is a guest in programs that nobody here knows. So it needs nothing but four names that every C
 * library has had from the beginning, leaves no trace in errno, and takes nobody's place.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Pipes, sockets and terminals cannot seek. In a file, and in /dev/null, nobody waits for a line. */
__attribute__((constructor)) static void
print_by_the_line(void)
{
	int error = errno;
	if (lseek(STDOUT_FILENO, 0, SEEK_CUR) == -1 && errno == ESPIPE)
		setvbuf(stdout, NULL, _IOLBF, 0);
	errno = error;
}
