#!/usr/bin/env perl
# Greets whoever sends a name: one line in, one line out.
#
#	wsgate --port=8080 ./greeter.pl

use v5.20;
use warnings;

$| = 1; # a line leaves when it is written: Perl has a buffer of its own, which nobody else can see to
while (my $name = <STDIN>) {
	chomp $name;
	say "Hello, $name!";
}
