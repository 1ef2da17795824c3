#!/usr/bin/env ruby
# Counts: one number a line, one line a second.  counter.rb [UP-TO [SECONDS-BETWEEN]]
#
#	wsgate --port=8080 ./counter.rb 10

trap("INT", "SYSTEM_DEFAULT") # a client that leaves early is no error: no backtrace
$stdout.sync = true    # a line leaves when it is written: Ruby has a buffer of its own

last = Integer(ARGV[0] || 10)
pause = Float(ARGV[1] || 1)

1.upto(last) do |n|
  sleep pause if n > 1
  puts n
end
