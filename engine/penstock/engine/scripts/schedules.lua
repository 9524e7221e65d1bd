-- What scripts about schedules share: where each stands. Takes no ARGV and Returns nothing: it stands before them.

local SCHEDULES = root .. 'schedules' -- hash: name -> 'last next seen on|paused job worker' and what was declared
local SEEN_AGAIN = 600000             -- ms; and how long one is kept that nobody attends to: periodic_store.py
local FORGOTTEN_AFTER = 2592000000

-- Where a schedule stands; nil for one that nobody knows.
local function standing_of(value)
  local last, following, seen, state, job, by, text = string.match(value or '', '^(%d+) (%d+) (%d+) (%l+) (%S+) (%S+)\n(.*)$')
  if not last then return nil end
  return {
    last = tonumber(last), following = following, seen = tonumber(seen), state = state, job = job, by = by, text = text,
  }
end

local function keep(name, s)
  redis.call('HSET', SCHEDULES, name, s.last .. ' ' .. s.following .. ' ' .. s.seen .. ' ' .. s.state
    .. ' ' .. s.job .. ' ' .. s.by .. '\n' .. s.text)
end
