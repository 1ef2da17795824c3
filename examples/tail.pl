#!/usr/bin/env perl
# The last ten lines of a file, and each new one as soon as it is written.  tail.pl FILE
#
#	wsgate --port=8080 ./tail.pl /var/log/syslog

use v5.20;
use warnings;
use Time::HiRes qw(sleep);

my $file = shift or die "usage: tail.pl FILE\n";
open my $log, '<', $file or die "$file: $!\n";

$| = 1;
my @seen = <$log>;
print @seen > 10 ? @seen[-10 .. -1] : @seen;
while (1) {
	print while <$log>;
	sleep 0.2;
	seek $log, 0, 1; # forget that the end was seen
}
