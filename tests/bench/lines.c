/*
 * A child program: echoes what it reads, or prints lines as fast as they are taken.
 *
 *	lines               echoes
 *	lines --print N     prints N bytes of 64-byte lines; 0: for ever
 */
#include <stdlib.h>
#include <unistd.h>

#include "stream.h"

static void
write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(1, data, len);
		if (n <= 0)
			exit(0);
		data += n;
		len -= (size_t)n;
	}
}

static void
echo(void)
{
	static char data[64 * 1024];
	ssize_t n;
	while ((n = read(0, data, sizeof(data))) > 0)
		write_all(data, (size_t)n);
}

static void
print(unsigned long long left)
{
	static char block[STREAM_BLOCK];
	stream_fill(block);
	if (left == 0)
		for (;;)
			write_all(block, sizeof(block));
	for (size_t len; left > 0; left -= len) {
		len = left < sizeof(block) ? (size_t)left : sizeof(block);
		write_all(block, len);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--print") == 0)
		print(strtoull(argv[2], NULL, 10));
	else
		echo();
	return 0;
}
