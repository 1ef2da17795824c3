#!/usr/bin/env lua
-- The last ten lines of a file, and each new one as soon as it is written.  tail.lua FILE
--
--	wsgate --port=8080 ./tail.lua /var/log/syslog

local log = assert(io.open(arg[1], "rb"))

local seen = {}
for line in log:lines("L") do
	table.insert(seen, line)
	if #seen > 10 then table.remove(seen, 1) end
end
io.write(table.unpack(seen))

repeat
	-- Half a line may go out as it is: wsgate waits for its end.
	io.write(log:read("a"))
	io.flush()
until not os.execute("sleep 0.2")
