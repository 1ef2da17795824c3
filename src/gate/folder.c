/*
 * The one idea: each name of the path is asked for from the folder itself, with all names before it,
 * so that the kernel's promise (beneath) holds for the whole of it and nothing need be kept open.
 */
#include "gate/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

enum { RACES_MAX = 8 };

enum kind { KIND_NONE, KIND_DIRECTORY, KIND_PROGRAM, KIND_FAILED };

static bool
is_nothing(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EXDEV || error == ENAMETOOLONG || error == EACCES;
}

/* EAGAIN: a rename beside us made the kernel unsure (openat2(2)). */
int
folder_open_beneath(int root, const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned)flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long fd = -1;
	for (int i = 0; i < RACES_MAX && fd == -1; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd == -1 && errno != EAGAIN && errno != EINTR)
			break;
	}
	return (int)fd;
}

/* O_PATH opens nothing: a FIFO does not block, a device does not stir. */
static enum kind
kind_of(int root, const char *path)
{
	struct stat st;
	int fd = folder_open_beneath(root, path, O_PATH);
	if (fd == -1)
		return is_nothing(errno) ? KIND_NONE : KIND_FAILED;
	int result = fstat(fd, &st);
	int error = errno;
	close(fd);
	errno = error;
	if (result == -1)
		return KIND_FAILED;
	if (S_ISDIR(st.st_mode))
		return KIND_DIRECTORY;
	/* Whether it is executable for the program's user, execve(2) will say. */
	return S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0 ? KIND_PROGRAM : KIND_NONE;
}

static int
status_of_error(const char *folder, const char *route, int error)
{
	log_error("route %s: the folder %s cannot be looked at: %s%s", route, folder, strerror(error),
		error == ENOSYS || error == EPERM ? " (openat2(2) is needed: Linux 5.6, and a sandbox that permits it)" : "");
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == EAGAIN ? 503 : 500;
}

/* The length of the path up to the end of its next name; 0 if that is no name of a program or a folder. */
static size_t
next_name(struct slice rest, size_t at)
{
	if (at >= rest.len || rest.data[at] != '/')
		return 0;
	size_t begin = at + 1, end = begin;
	while (end < rest.len && rest.data[end] != '/')
		end++;
	bool is_hidden = end > begin && rest.data[begin] == '.'; /* .git and its hooks are not for all */
	return end == begin || is_hidden || memchr(rest.data + begin, '\0', end - begin) != NULL ? 0 : end;
}

/* "FOLDER/" into PATH; returns its length, or 0 if there is no room for LEN more. */
static size_t
put_folder(const char *folder, size_t len, char path[static PATH_MAX])
{
	size_t folder_len = strlen(folder);
	if (folder_len == 0 || folder_len + 1 + len >= PATH_MAX)
		return 0;
	memcpy(path, folder, folder_len);
	if (path[folder_len - 1] != '/')
		path[folder_len++] = '/';
	return folder_len;
}

static void
put_directory(struct folder_program *out)
{
	memcpy(out->directory, out->path, sizeof(out->directory));
	char *slash = strrchr(out->directory, '/');
	slash[slash == out->directory ? 1 : 0] = '\0';
}

static int
walk(int root, const char *folder, const char *route, struct slice rest, struct folder_program *out)
{
	for (size_t end = 0; (end = next_name(rest, end)) > 0;) {
		size_t len = put_folder(folder, end, out->path);
		if (len == 0)
			return 404;
		char *name = out->path + len;
		memcpy(name, rest.data + 1, end - 1);
		name[end - 1] = '\0';
		switch (kind_of(root, name)) {
		case KIND_NONE:
			return 404;
		case KIND_DIRECTORY:
			break;
		case KIND_PROGRAM:
			out->name_len = end;
			put_directory(out);
			return 200;
		case KIND_FAILED:
			return status_of_error(folder, route, errno);
		}
	}
	return 404;
}

int
folder_find(const char *folder, const char *route, struct slice rest, struct folder_program *out)
{
	int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root == -1)
		return status_of_error(folder, route, errno);
	int status = walk(root, folder, route, rest, out);
	close(root);
	return status;
}
