-- Registers a sink: from now on every ending is kept until it has acknowledged it.
-- ARGV: sink, most entries that may wait before submissions are refused; the last one to say so counts
-- Returns 1 where it is new, 0 where it was registered

redis.call('SET', RELAYS, ARGV[2])
if sinks()[ARGV[1]] then return 0 end
-- How many entries there have been is said too: a sink that begins in the middle is otherwise counted wrong.
local before = 0
if redis.call('EXISTS', OUTBOX) == 1 then before = named(redis.call('XINFO', 'STREAM', OUTBOX))['entries-added'] end
redis.call('XGROUP', 'CREATE', OUTBOX, ARGV[1], '$', 'MKSTREAM', 'ENTRIESREAD', before)
return 1
