/*
 * preload: where libwsgate-line.so lies, the library that ends the buffering of programs
 * (src/preload/line.c). It is an ornament: without it everything runs, only later.
 */
#ifndef GATE_PRELOAD_H
#define GATE_PRELOAD_H

#include <limits.h>
#include <stdbool.h>

/*
 * Its path, or NULL if there is none that the dynamic linker could use. Looked for once: beside the
 * program, in its ../lib/wsgate, and where `make install` puts it. FOR_OTHERS: only if any user can
 * read it, for a program that runs as another one. Any thread; the text is for ever.
 */
const char *preload_library(bool for_others);

/* The pieces, for tests: the library as a program in DIRECTORY finds it. */
bool preload_find(const char *directory, char out[static PATH_MAX]);
bool preload_is_for_all(const char *path);

#endif
