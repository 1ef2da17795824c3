/*
 * The terminal is opened through its master (TIOCGPTPEER), never by its name: no other /dev/pts, such
 * as a container or a chroot has, can come between.
 */
#include "backend/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static int
make_raw(int terminal)
{
	struct termios mode;
	if (tcgetattr(terminal, &mode) == -1)
		return -1;
	cfmakeraw(&mode);
	return tcsetattr(terminal, TCSANOW, &mode);
}

int
pty_open(int *ours, int *theirs)
{
	int terminal = -1;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (master == -1)
		return -1;
	if (unlockpt(master) == -1 || (terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) == -1)
		goto close_master;
	if (make_raw(terminal) == -1)
		goto close_both;
	*ours = master;
	*theirs = terminal;
	return 0;

	int error;
close_both:
	error = errno;
	close(terminal);
	errno = error;
close_master:
	error = errno;
	close(master);
	errno = error;
	return -1;
}
