/*
 * folder: what lies in a folder and nowhere else; programs in it, each at its own name (dir, cgi).
 *
 * A request's path is walked from the folder on; the first name on it that is a file is the program,
 * and what follows is PATH_INFO. The kernel does the walking (openat2(2), RESOLVE_BENEATH) and the
 * file is judged by the descriptor that comes of it, so that no path leads outside: not by dots, not
 * by encoding, not by a symlink, whatever somebody renames meanwhile. Links within the folder are
 * followed.
 *
 * The program is then started by its name, for an interpreter must find its script by it. Between the
 * look and the start, whoever may write in the folder can put another file there; but so they could
 * before the look, and a request cannot.
 */
#ifndef GATE_FOLDER_H
#define GATE_FOLDER_H

#include <limits.h>

#include "base/text.h"

struct folder_program {
	char path[PATH_MAX];      /* the file, absolute if the folder is */
	char directory[PATH_MAX]; /* that it lies in */
	size_t name_len;          /* of the request's path, what names it: "/sub/prog" */
};

/*
 * open(2) with FLAGS and O_CLOEXEC of PATH beneath the directory ROOT: whatever leads out of that is EXDEV. Returns the
 * descriptor, or -1 with errno.
 */
int folder_open_beneath(int root, const char *path, int flags);

/*
 * Finds the program that REST, the decoded path behind the route's, names. Returns 200, or what to
 * refuse with: 404 if there is none (also if it is a directory, not executable, no ordinary file, or if a name
 * begins with a dot), 500 or 503 if the folder cannot be looked at, which is logged for ROUTE. Any thread.
 */
int folder_find(const char *folder, const char *route, struct slice rest, struct folder_program *out);

#endif
