#!/usr/bin/env perl
# Counts: one number a line, one line a second.  counter.pl [UP-TO [SECONDS-BETWEEN]]
#
#	wsgate --port=8080 ./counter.pl 10

use v5.20;
use warnings;
use Time::HiRes qw(sleep);

my ($last, $pause) = (shift // 10, shift // 1);

$| = 1; # a line leaves when it is written: Perl has a buffer of its own, which nobody else can see to
for my $n (1 .. $last) {
	sleep $pause if $n > 1;
	say $n;
}
