-- What the scripts for relays share; put between the prologue and each of them. No ARGV of its own.
-- Returns nothing: that is left to the file behind it.
-- A sink is a consumer group of OUTBOX, a relay that serves it is a consumer. An entry is done with when its group
-- has acknowledged it, and goes once every group has.

local RELAYING = root .. 'relaying' -- zset: '<sink> <relay>' -> when it took last
local ASIDE = root .. 'aside'       -- stream: the last entries that a relay could not read
local ASIDE_KEPT = 100

-- What XINFO tells, by name.
local function named(flat)
  local found = {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

-- The sinks by name.
local function sinks()
  local found = {}
  if redis.call('EXISTS', OUTBOX) == 0 then return found end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', OUTBOX)) do
    local sink = named(flat)
    found[sink.name] = sink
  end
  return found
end

local function parts(id)
  local time, sequence = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(time), tonumber(sequence)
end

-- Where that begins which a sink has not acknowledged: its oldest entry that is being delivered, or behind the last.
local function begins(sink)
  if sink.pending > 0 then return redis.call('XPENDING', OUTBOX, sink.name)[2] end
  local time, sequence = parts(sink['last-delivered-id'])
  return string.format('%.0f-%.0f', time, sequence + 1)
end

local function earlier(one, other)
  local time, sequence = parts(one)
  local other_time, other_sequence = parts(other)
  return time < other_time or (time == other_time and sequence < other_sequence)
end

-- Removes what every sink has acknowledged, and nothing else.
local function trim()
  local first
  for _, sink in pairs(sinks()) do
    local begin = begins(sink)
    if not first or earlier(begin, first) then first = begin end
  end
  if first then redis.call('XTRIM', OUTBOX, 'MINID', first) end
end

-- Returns how many entries a sink has not acknowledged, and when the oldest of them was made, -1 for none.
local function behind(sink)
  local oldest = redis.call('XRANGE', OUTBOX, begins(sink), '+', 'COUNT', 1)[1]
  if not oldest then return 0, -1 end
  return sink.pending + (sink.lag or redis.call('XLEN', OUTBOX)), tonumber(oldest[2][4]) or -1
end

-- Ids that one relay is delivering, at most so many.
local function delivering(sink, relay, count)
  local ids = {}
  for i, entry in ipairs(redis.call('XPENDING', OUTBOX, sink, '-', '+', count, relay)) do ids[i] = entry[1] end
  return ids
end

-- Strikes a relay off that is delivering nothing; with entries of its own it would take them along.
local function strike_off(sink, relay)
  if #delivering(sink, relay, 1) > 0 then return end
  redis.call('XGROUP', 'DELCONSUMER', OUTBOX, sink, relay)
  redis.call('ZREM', RELAYING, sink .. ' ' .. relay)
end

