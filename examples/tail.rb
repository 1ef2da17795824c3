#!/usr/bin/env ruby
# The last ten lines of a file, and each new one as soon as it is written.  tail.rb FILE
#
#	wsgate --port=8080 ./tail.rb /var/log/syslog

trap("INT", "SYSTEM_DEFAULT") # when its client has gone, wsgate sends SIGINT: no backtrace
$stdout.sync = true

File.open(ARGV.fetch(0), "rb") do |log|
  print(*log.readlines.last(10))
  loop do
    # Half a line may go out as it is: wsgate waits for its end.
    print log.read
    sleep 0.2
  end
end
