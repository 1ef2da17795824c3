#!/usr/bin/env node
// Greets whoever sends a name: one line in, one line out.
//
//	wsgate --port=8080 ./greeter.js

const lines = require('node:readline').createInterface({ input: process.stdin });

lines.on('line', (name) => console.log(`Hello, ${name}!`));
