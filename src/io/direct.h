/*
 * direct: the system calls that every message takes, straight to the kernel.
 *
 * The C library's recv(2), send(2) and their kin are cancellation points (POSIX.1-2017, XSH 2.9.5.2): in a process with
 * threads each call takes two locked instructions more, which is felt where a message is small. None of our
 * threads is ever cancelled. Results and errno are those of the functions of the same name.
 */
#ifndef IO_DIRECT_H
#define IO_DIRECT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Did one of them fail with an ERROR that passes? */
static inline bool
direct_would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static inline ssize_t
direct_read(int fd, void *data, size_t len)
{
	return syscall(SYS_read, fd, data, len);
}

static inline ssize_t
direct_recv(int fd, void *data, size_t len, int flags)
{
	return syscall(SYS_recvfrom, fd, data, len, flags, NULL, NULL);
}

static inline ssize_t
direct_write(int fd, const void *data, size_t len)
{
	return syscall(SYS_write, fd, data, len);
}

static inline ssize_t
direct_writev(int fd, const struct iovec *vec, int count)
{
	return syscall(SYS_writev, fd, vec, count);
}

static inline ssize_t
direct_send(int fd, const void *data, size_t len, int flags)
{
	return syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
}

static inline ssize_t
direct_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return syscall(SYS_sendmsg, fd, message, flags);
}

#endif
