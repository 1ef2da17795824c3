/*
 * help: what the table of options says to people: --help, the reference wsgate.ini, the lists of the
 * manual pages. Pure but for OUT.
 */
#ifndef GATE_HELP_H
#define GATE_HELP_H

#include <stdbool.h>
#include <stdio.h>

/* The first screen: three examples and the options that one begins with. */
void help_screen(FILE *out);

/* Every option, from the table. */
void help_all(FILE *out);

/* The commented reference file. */
void help_ini(FILE *out);

/* Copies the mdoc template IN to OUT, with the options in place of its line `.\" @OPTIONS@`. */
void help_man1(FILE *in, FILE *out);
void help_man5(FILE *in, FILE *out);

void help_version(FILE *out);

/* Writes the topic ("", "all", "ini", "man1", "man5") to stdout; false if there is no such topic. */
bool help_show(const char *topic);

#endif
