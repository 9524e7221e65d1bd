-- A relay ends: what it has not acknowledged goes to the next that takes. ARGV: sink, relay
-- Returns how many entries that is, 1,000 for more

local sink, relay = ARGV[1], ARGV[2]
if not sinks()[sink] then return 0 end
local left = #delivering(sink, relay, 1000)
if left > 0 then redis.call('ZADD', RELAYING, 0, sink .. ' ' .. relay) else strike_off(sink, relay) end
return left
