-- Unregisters a sink: nothing waits for it any more. With the last one all that is kept for relays goes.
-- ARGV: sink
-- Returns how many entries it had not acknowledged, -1 where it is not registered

local sink = sinks()[ARGV[1]]
if not sink then return -1 end
local left = behind(sink)
redis.call('XGROUP', 'DESTROY', OUTBOX, sink.name)
for _, member in ipairs(redis.call('ZRANGE', RELAYING, 0, -1)) do
  if string.match(member, '^%S+') == sink.name then redis.call('ZREM', RELAYING, member) end
end
if next(sinks()) then trim() else redis.call('DEL', OUTBOX, RELAYS, RELAYING, ASIDE) end
return left
