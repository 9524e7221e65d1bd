-- Facts for the one process that tells about this queue: figures that several told could not be added up.
-- ARGV: reporter, how long it has the role from now on (ms)
-- Who has the role keeps it; once its time has passed, whoever asks next takes it. That is decided by the time in the
-- value: the key expires long after, so that a queue which nobody asks about any more leaves nothing.
-- Returns nil while another has the role, else what facts.lua returns, whose text follows

local holder, till = string.match(redis.call('GET', REPORTER) or '', '^(.+) (%d+)$')
if holder and holder ~= ARGV[1] and tonumber(till) > now then return false end
redis.call('SET', REPORTER, ARGV[1] .. ' ' .. now + ARGV[2], 'PX', 10 * ARGV[2])

