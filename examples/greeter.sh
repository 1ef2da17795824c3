#!/bin/sh
# Greets whoever sends a name: one line in, one line out.
#
#	wsgate --port=8080 ./greeter.sh

while IFS= read -r name; do
	printf 'Hello, %s!\n' "$name"
done
