-- How far every sink is behind. No ARGV
-- Returns {now, most entries that may wait, entries set aside,
--          {sink, entries not acknowledged, when the oldest was made or -1, relays, …}}

local answer, relays = {}, {}
for _, member in ipairs(redis.call('ZRANGE', RELAYING, 0, -1)) do
  local name = string.match(member, '^%S+')
  relays[name] = (relays[name] or 0) + 1
end
for name, sink in pairs(sinks()) do
  local left, since = behind(sink)
  for _, word in ipairs({ name, left, since, relays[name] or 0 }) do answer[#answer + 1] = word end
end
return { now, tonumber(redis.call('GET', RELAYS)) or 0, redis.call('XLEN', ASIDE), answer }
