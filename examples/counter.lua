#!/usr/bin/env lua
-- Counts: one number a line, one line a second.  counter.lua [UP-TO [SECONDS-BETWEEN]]
--
--	wsgate --port=8080 ./counter.lua 10

local last = tonumber(arg[1] or 10)
local pause = tonumber(arg[2] or 1)

for n = 1, last do
	-- Lua has no sleep of its own.
	if n > 1 then os.execute("sleep " .. pause) end
	print(n)
end
