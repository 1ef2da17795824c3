/*
 * The places are looked at from the nearest: a wsgate that was built and not installed, or unpacked
 * somewhere, takes the library that came with it and not an older one of the system.
 */
#include "gate/preload.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY "libwsgate-line.so"

#ifndef WSGATE_LIBDIR
#define WSGATE_LIBDIR "/usr/local/lib/wsgate"
#endif

/* ld.so(8): spaces and colons part the names in LD_PRELOAD, a dollar begins a word for something else. */
static bool
is_usable(const char *path)
{
	return strpbrk(path, " \t\n:$") == NULL && access(path, R_OK) == 0;
}

static bool
is_in(const char *directory, const char *below, char out[static PATH_MAX])
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s%s/" LIBRARY, directory, below);
	return len < (int)sizeof(path) && realpath(path, out) != NULL && is_usable(out);
}

bool
preload_find(const char *directory, char out[static PATH_MAX])
{
	return is_in(directory, "", out) || is_in(directory, "/build", out) || is_in(directory, "/../lib/wsgate", out) ||
	       is_in(WSGATE_LIBDIR, "", out);
}

/* What ld.so cannot open it complains of, on the stderr of each program. */
bool
preload_is_for_all(const char *path)
{
	char part[PATH_MAX];
	struct stat st;
	for (const char *end = strchr(path + 1, '/'); end != NULL; end = strchr(end + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		if (stat(part, &st) == -1 || (st.st_mode & S_IXOTH) == 0)
			return false;
	}
	return stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0;
}

static char found[PATH_MAX];
static bool is_found, is_for_all;

static void
look(void)
{
	char program[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (len <= 0)
		return;
	program[len] = '\0';
	*strrchr(program, '/') = '\0';
	is_found = preload_find(program, found);
	is_for_all = is_found && preload_is_for_all(found);
}

const char *
preload_library(bool for_others)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, look);
	return (for_others ? is_for_all : is_found) ? found : NULL;
}
