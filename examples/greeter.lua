#!/usr/bin/env lua
-- Greets whoever sends a name: one line in, one line out.
--
--	wsgate --port=8080 ./greeter.lua

for name in io.lines() do
	print("Hello, " .. name .. "!")
end
