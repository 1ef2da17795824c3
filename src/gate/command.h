/*
 * command: the command line, in Go's spelling as websocketd has it: -opt, --opt, --opt=VALUE, --opt
 * VALUE; a switch takes no word behind it; options end at the first other word or at "--".
 */
#ifndef GATE_COMMAND_H
#define GATE_COMMAND_H

#include <stdbool.h>

#include "gate/draft.h"

struct command {
	const char *file; /* --config, or NULL */
	bool checks;      /* --check */
	bool shows_version;
	const char *topic; /* of --help; "" for the first screen; NULL if it was not asked for */
};

/*
 * Reads ARGV into D's section for it, and into *OUT. Ends at the first --help or --version, and at
 * the first fault. The strings of ARGV must outlive D.
 */
void command_read(struct draft *d, int argc, char **argv, struct command *out);

#endif
