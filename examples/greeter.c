/*
 * Greets whoever sends a name: one line in, one line out.
 *
 *	cc -o greeter greeter.c && wsgate --port=8080 ./greeter
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *name = NULL;
	size_t size = 0;

	while (getline(&name, &size, stdin) > 0) {
		name[strcspn(name, "\n")] = '\0';
		printf("Hello, %s!\n", name);
	}
	free(name);
	return 0;
}
