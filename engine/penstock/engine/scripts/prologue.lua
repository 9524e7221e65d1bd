-- What every script starts with: names of keys, the record's header, lines of ready jobs, waking.
-- `now` is set before this, in milliseconds. KEYS[1] is always the root of one queue's keys.
-- The header's fields are described in penstock/engine/record.py; the body behind it is never decoded here.

local root = KEYS[1]
local LANES = root .. 'lanes'         -- zset: lane -> priority and turn; every lane that has ready jobs
local SUSPECTS = root .. 'suspects'   -- list: ready jobs that were held by a worker that died
local SCHEDULED = root .. 'scheduled' -- zset: job -> due; scheduled and parked jobs
local WORKERS = root .. 'workers'     -- zset: worker -> end of its lease
local REVOKED = root .. 'revoked'     -- zset: worker -> when its lease was revoked; its jobs are not all moved yet
local CLAIMS = root .. 'claims'       -- hash: worker -> number of its last claim
local SLOTS = root .. 'slots'         -- hash: worker -> jobs it can run at once; none of those that never said it
local IDLE = root .. 'idle'           -- zset: worker -> since when it waits to be woken; with half a millisecond more, it
                                      -- takes a job with the wake-up
local CANCELS = root .. 'cancels'     -- hash: running job that somebody asked to cancel
local UNIQUE = root .. 'unique'       -- hash: tenant and unique key -> job
local LOCKS = root .. 'locks'         -- hash: job -> its field in UNIQUE
local DEAD = root .. 'dead'           -- zset: job -> when it died
local FAILURES = root .. 'failures'   -- hash: fingerprint -> 'count first last job' and what the last one looked like
local FAILURES_KEPT = 500             -- fingerprints; MAX_FAILURES in limits.py
local COUNTS = root .. 'counts'       -- hash: `ready` jobs; `turn` of the lanes; last `token`; `reaped`, `patient_until`, `patient_since`
local REPORTER = root .. 'reporter'   -- string: who tells about the queue in its metrics, and until when
local EVENTS = root .. 'events'       -- stream: endings
local EVENTS_KEPT = 1000              -- entries; each holds the endings of one script
local RELAYS = root .. 'relays'       -- string: most entries in OUTBOX for submissions to be taken; while a sink is registered
local OUTBOX = root .. 'outbox'       -- stream: endings with their records, one entry each; while a sink is registered
local CANCELLED_KEPT = 86400000       -- ms that a job cancelled in its line is kept once its place was met

local function job_key(job) return root .. 'job:' .. job end
local function lane_key(lane) return root .. 'ready:' .. lane end
local function running_key(worker) return root .. 'running:' .. worker end -- hash: job -> 'token claim since'

-- A whole number in decimal: in half the time that Lua takes to make a text of a number by itself.
local function text_of(number) return string.format('%d', number) end

local HEADER = '^(%d+) (%l+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+)([^\n]*)\n()'
local FINAL = { succeeded = true, dead = true, cancelled = true, expired = true }

-- Returns the header as a table of words, with `at`, where the body begins; nil for what is no record.
local function parse(record)
  local version, state, attempt, crashes, priority, token, submitted, due, ended, size, flags, tenant, more, at =
    string.match(record, HEADER)
  if not version then return nil end
  return {
    version = version, state = state, attempt = attempt, crashes = crashes, priority = priority, token = token,
    submitted = submitted, due = due, ended = ended, size = tonumber(size), flags = flags, tenant = tenant,
    more = more, at = at,
  }
end

local function format(h)
  return h.version .. ' ' .. h.state .. ' ' .. h.attempt .. ' ' .. h.crashes .. ' ' .. h.priority .. ' ' .. h.token
    .. ' ' .. h.submitted .. ' ' .. h.due .. ' ' .. h.ended .. ' ' .. h.size .. ' ' .. h.flags .. ' ' .. h.tenant
    .. h.more .. '\n'
end

local function body_of(record, h) return string.sub(record, h.at, h.at + h.size - 1) end

-- Calls `act` with at most 1,000 of a list's values at a time: `unpack` ends at 8,000, and a worker may hold more.
local function in_slices(list, act)
  for first = 1, #list, 1000 do act(first - 1, unpack(list, first, math.min(first + 999, #list))) end
end

-- Records by the place of their jobs, false for none; behind them what `another` key holds, where one is given.
local function records_of(jobs, another)
  local keys, records = {}, {}
  for i, job in ipairs(jobs) do keys[i] = job_key(job) end
  keys[#keys + 1] = another
  in_slices(keys, function(before, ...)
    for i, record in ipairs(redis.call('MGET', ...)) do records[before + i] = record end
  end)
  return records
end

-- A lane that has jobs is in LANES; one found empty is taken out by the claim that finds it so.
local function open_lane(lane, priority)
  local turn = redis.call('HINCRBY', COUNTS, 'turn', 1)
  redis.call('ZADD', LANES, 'NX', (9 - priority) * 1e12 + turn, lane)
end

-- Puts one job into the line it belongs to: RPUSH at the tail, LPUSH at the head. Counting is the caller's.
local function line_up(push, job, h)
  if h.crashes ~= '0' then
    redis.call(push, SUSPECTS, job)
    return
  end
  local lane = h.priority .. ':' .. h.tenant
  if redis.call(push, lane_key(lane), job) == 1 then open_lane(lane, h.priority) end
end

-- Wakes the worker that has been idle longest and still listens.
local function wake()
  for _ = 1, 100 do
    local sleeper = redis.call('ZPOPMIN', IDLE)[1]
    if not sleeper then return end
    if redis.call('SPUBLISH', root .. 'wake:' .. sleeper, 'work') > 0 then return end
  end
end

local function next_due()
  return tonumber(redis.call('ZRANGE', SCHEDULED, 0, 0, 'WITHSCORES')[2]) or -1
end

-- Passes word on from a worker that has no use for it: there is work, or there will be sooner than others know.
local function pass_word_on()
  if tonumber(redis.call('HGET', COUNTS, 'ready') or 0) > 0 or next_due() >= 0 then wake() end
end

-- Adds {due, job, …} to the timetable; true if one of them is due before all that were there.
local function schedule(pairs_of_due_and_job)
  if #pairs_of_due_and_job == 0 then return false end
  local before = next_due()
  redis.call('ZADD', SCHEDULED, unpack(pairs_of_due_and_job))
  return next_due() ~= before
end

local function alive(worker)
  local lease = redis.call('ZSCORE', WORKERS, worker)
  return lease and tonumber(lease) > now
end

-- Rewrites the header; the body stays, an ending is put behind it where one is given. Returns the new record.
local function rewrite(job, record, h, ending, keep)
  local text = format(h) .. (ending and (body_of(record, h) .. ending) or string.sub(record, h.at))
  if keep then redis.call('SET', job_key(job), text, 'PX', math.max(1, keep)) else redis.call('SET', job_key(job), text) end
  return text
end

-- Lets go of the unique key of a job that ends.
local function unlock(job, flags)
  if not string.find(flags, 'u', 1, true) then return end
  local field = redis.call('HGET', LOCKS, job)
  if field then
    redis.call('HDEL', UNIQUE, field)
    redis.call('HDEL', LOCKS, job)
  end
end

-- What every ending does beside rewriting the record; `events` collects what `publish` appends.
local function conclude(job, h, events)
  unlock(job, h.flags)
  events[#events + 1] = job
  events[#events + 1] = h.state .. ' ' .. h.attempt .. ' ' .. h.token
end

local function publish(events)
  if #events > 0 then redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', unpack(events)) end
end

-- Hands the end of an attempt, or of the job, to the relays: an entry each, to be acknowledged by itself.
local function hand_on(job, record)
  redis.call('XADD', OUTBOX, '*', 'job', job, 'at', now, 'record', record)
end

local function relayed() return redis.call('EXISTS', RELAYS) == 1 end

local function bury(job, keep)
  redis.call('ZADD', DEAD, now, job)
  redis.call('ZREMRANGEBYSCORE', DEAD, '-inf', now - keep)
end

-- Forgets the tenth that was seen longest ago once there are too many: at once, as all are read to find them.
local function forget_failures()
  if redis.call('HLEN', FAILURES) <= FAILURES_KEPT then return end
  local flat, kept, gone = redis.call('HGETALL', FAILURES), {}, {}
  for i = 1, #flat, 2 do
    kept[#kept + 1] = { tonumber(string.match(flat[i + 1], '^%d+ %d+ (%d+)')), flat[i] }
  end
  table.sort(kept, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end)
  for i = 1, #kept - FAILURES_KEPT * 0.9 do gone[i] = kept[i][2] end
  redis.call('HDEL', FAILURES, unpack(gone))
end

-- Counts failures, given as {fingerprint, job, what it looks like}.
local function count_failures(failed)
  if #failed == 0 then return end
  local fingerprints, times, last, written, new = {}, {}, {}, {}, false
  for _, one in ipairs(failed) do
    local fingerprint = one[1]
    if not times[fingerprint] then fingerprints[#fingerprints + 1] = fingerprint end
    times[fingerprint] = (times[fingerprint] or 0) + 1
    last[fingerprint] = one
  end
  for i, kept in ipairs(redis.call('HMGET', FAILURES, unpack(fingerprints))) do
    local fingerprint = fingerprints[i]
    local count, first = string.match(kept or '', '^(%d+) (%d+)')
    local one = last[fingerprint]
    written[2 * i - 1] = fingerprint
    written[2 * i] = (count or 0) + times[fingerprint] .. ' ' .. (first or now) .. ' ' .. now .. ' ' .. one[2] .. ' ' .. one[3]
    new = new or not count
  end
  redis.call('HSET', FAILURES, unpack(written))
  if new then forget_failures() end
end

-- The record of a job that is submitted `today`, now as text, and is, or will be, ready from `since` on.
local function new_record(state, priority, today, since, flags, tenant, body)
  return '1 ' .. state .. ' 0 0 ' .. priority .. ' 0 ' .. today .. ' ' .. since .. ' 0 ' .. #body
    .. ' ' .. flags .. ' ' .. tenant .. '\n' .. body
end

-- What a submission is told of an id that exists: a sending of its own if the body is the same.
local function told_of(job, record, body)
  local h = parse(record)
  return { job, body_of(record, h) == body and 1 or 0, h.state }
end

-- Has the worker that has been idle longest and takes it claim a job that nothing waits before: the wake-up brings it.
-- Where that does not arrive, the worker's next claim, which has this number, does. False where nobody takes it.
local function hand_over(job, record)
  local claimed = text_of(now)
  for _ = 1, 100 do
    local worker, since = unpack(redis.call('ZRANGE', IDLE, 0, 0, 'WITHSCORES'))
    if not worker or since % 1 == 0 then return false end
    redis.call('ZREM', IDLE, worker)
    if alive(worker) then
      local number = text_of((redis.call('HGET', CLAIMS, worker) or 0) + 1)
      local token = text_of((redis.call('HGET', COUNTS, 'token') or 0) + 1)
      local word = 'job ' .. claimed .. ' ' .. number .. ' ' .. token .. ' ' .. job .. '\n' .. record
      if redis.call('SPUBLISH', root .. 'wake:' .. worker, word) > 0 then
        redis.call('HSET', CLAIMS, worker, number)
        redis.call('HSET', running_key(worker), job, token .. ' ' .. number .. ' ' .. claimed)
        redis.call('HSET', COUNTS, 'token', token, 'ready', 0)
        return true
      end
    end
  end
  return false
end

-- What `worker` holds, of one claim where a number is given, as {job, token, claim}, in the order it was claimed.
local function held_by(worker, number)
  local flat = redis.call('HGETALL', running_key(worker))
  local tokens, by_token, held = {}, {}, {}
  for i = 1, #flat, 2 do
    local token, claim = string.match(flat[i + 1], '^(%d+) (%d+)')
    if not number or claim == number then
      tokens[#tokens + 1] = tonumber(token)
      by_token[tokens[#tokens]] = { flat[i], token, claim }
    end
  end
  table.sort(tokens) -- bare numbers: with a function to compare them 10,000 take five times as long
  for i, token in ipairs(tokens) do held[i] = by_token[token] end
  return held
end

-- Gives jobs back to the head of their lines in the order they are listed, no attempt consumed.
local function give_back(worker, jobs)
  if #jobs == 0 then return jobs end
  in_slices(jobs, function(_, ...) redis.call('HDEL', running_key(worker), ...) end)
  local records = records_of(jobs)
  local count = 0
  for i = #jobs, 1, -1 do
    local h = records[i] and parse(records[i])
    if h then
      line_up('LPUSH', jobs[i], h)
      count = count + 1
    end
  end
  redis.call('HINCRBY', COUNTS, 'ready', count)
  wake()
  return jobs
end
