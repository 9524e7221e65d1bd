-- Gives a relay entries for its sink: those that it has and has not acknowledged; else those of a relay that has
-- not taken for so long that it counts as dead; else new ones.
-- ARGV: sink, relay, most entries, how long another one's silence may last (ms)
-- Returns nil where the sink is not registered, else {now, entries not acknowledged, when the oldest was made or -1,
-- id of the last entry delivered, {id, job, when it was made, record, …}}

local name, relay, count = ARGV[1], ARGV[2], ARGV[3]
local sink = sinks()[name]
if not sink then return false end
local left, since = behind(sink)
redis.call('ZADD', RELAYING, now, name .. ' ' .. relay)

local function read(from)
  local reply = redis.call('XREADGROUP', 'GROUP', name, relay, 'COUNT', count, 'STREAMS', OUTBOX, from)
  return reply and reply[1][2] or {}
end

local function of_the_dead()
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', RELAYING, '-inf', now - ARGV[4])) do
    local of, other = string.match(member, '^(%S+) (%S+)$')
    if of == name and other ~= relay then
      local ids = delivering(name, other, count)
      local entries = #ids > 0 and redis.call('XCLAIM', OUTBOX, name, relay, 0, unpack(ids)) or {}
      strike_off(name, other)
      if #entries > 0 then return entries end
    end
  end
  return {}
end

local entries = read('0')
if #entries == 0 then entries = of_the_dead() end
if #entries == 0 then entries = read('>') end
local answer = {}
for _, entry in ipairs(entries) do
  local id, fields = entry[1], entry[2]
  if fields then
    answer[#answer + 1] = id
    for i = 2, 6, 2 do answer[#answer + 1] = fields[i] end
  else
    redis.call('XACK', OUTBOX, name, id) -- somebody has removed it by hand
  end
end
return { now, left, since, sink['last-delivered-id'], answer }
