/*
 * pty: a pseudo-terminal that is nothing but a pipe on which isatty(3) says yes.
 */
#ifndef BACKEND_PTY_H
#define BACKEND_PTY_H

/*
 * What is written to *THEIRS, a terminal, is read from *OURS, byte for byte: it echoes nothing and
 * translates nothing. *OURS does not block; once all of *THEIRS are closed and everything has been read,
 * it answers EIO. Both are close-on-exec, and nobody's controlling terminal. Returns 0, or -1 with errno
 * (ENOSPC: the system has no pseudo-terminal left).
 */
int pty_open(int *ours, int *theirs);

#endif
