/*
 * process: what the server tells the program backend once, and what is left behind when a thread ends.
 */
#ifndef BACKEND_PROCESS_H
#define BACKEND_PROCESS_H

#include <sys/resource.h>

/*
 * Programs start with this soft RLIMIT_NOFILE, the one that the server itself was started with, unless
 * their route sets another (select(2) breaks above 1024). Before the first program; any thread.
 */
void process_set_nofile(rlim_t soft);

/*
 * Once this thread's backends are freed, and before its loop is: kills at once what ended programs
 * have left of their process groups, logs their last words, gives back the thread's memory.
 */
void process_sweep(void);

#endif
