-- Gives up the role of telling about this queue. ARGV: reporter
-- Returns 1 where it had the role, 0 where somebody else has it, or nobody

local holder = string.match(redis.call('GET', REPORTER) or '', '^(.+) %d+$')
return holder == ARGV[1] and redis.call('DEL', REPORTER) or 0
