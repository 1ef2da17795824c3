/* main: reads what is wanted, and hands over. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "gate/config.h"
#include "gate/server.h"

int
main(int argc, char **argv)
{
	struct config *config = NULL;
	int code = EXIT_SUCCESS;
	switch (config_from_command_line(argc, argv, &config, &code)) {
	case CONFIG_DONE:
	case CONFIG_FAILED:
		return code;
	case CONFIG_CHECK:
		config_release(config);
		return EXIT_SUCCESS;
	case CONFIG_RUN:
		break;
	}
	if (log_open(&config->log) == -1) {
		log_error("cannot open the log %s: %s", config->log.target, strerror(errno));
		config_release(config);
		return EX_CANTCREAT;
	}
	return server_run(config);
}
