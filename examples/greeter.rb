#!/usr/bin/env ruby
# Greets whoever sends a name: one line in, one line out.
#
#	wsgate --port=8080 ./greeter.rb

$stdout.sync = true # a line leaves when it is written: Ruby has a buffer of its own

while (name = $stdin.gets(chomp: true))
  puts "Hello, #{name}!"
end
