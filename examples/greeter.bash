#!/bin/bash
# Greets whoever sends a name: one line in, one line out.
#
#	wsgate --port=8080 ./greeter.bash

while IFS= read -r name; do
	echo "Hello, $name!"
done
