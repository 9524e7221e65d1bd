-- Stores new jobs, all of them or, where the queue has no room for them, none. An id that exists is left alone.
-- ARGV: most ready and most scheduled jobs (0 for no limit), most endings that relays have not handed on (0 for no
--       limit), then per job: id, priority, tenant, due (ms, '' for none), delay (ms), unique key ('' for none), body
-- Returns per job: {id that stands for it, 1 created | 0 duplicate, state}; or, where there is no room, how many jobs
-- wait, or how many endings do, below zero

local most, most_endings, FIRST, FIELDS = tonumber(ARGV[1]), tonumber(ARGV[2]), 3, 7
local today = text_of(now)
local results, stored, lanes, scheduled, ready = {}, {}, {}, {}, 0
local depth = 0 -- jobs that are ready, the new ones counted
local seen, fields, locks, holders = {}, {}, {}, {}

-- Who holds a unique key, in the queue or earlier in this batch.
local function holder(field)
  return holders[field] or redis.call('HGET', UNIQUE, field)
end

local function line_up_new(job, priority, tenant)
  local name = priority .. ':' .. tenant
  local lane = lanes[name]
  if not lane then
    lane = { priority = priority }
    lanes[name] = lane
  end
  lane[#lane + 1] = job
  ready = ready + 1
end

local function draft(job, i)
  local priority, tenant, unique, body = ARGV[i + 1], ARGV[i + 2], ARGV[i + 5], ARGV[i + 6]
  local due = tonumber(ARGV[i + 3]) or now + ARGV[i + 4]
  local state, flags, since = 'ready', '-', today
  if due > now then state, since = 'scheduled', text_of(due) end
  if unique ~= '' then
    local field = tenant .. ' ' .. unique
    holders[field], flags = job, 'u'
    fields[#fields + 1], fields[#fields + 2] = field, job
    locks[#locks + 1], locks[#locks + 2] = job, field
  end
  local record = new_record(state, priority, today, since, flags, tenant, body)
  seen[job] = record
  local last = #stored
  stored[last + 1], stored[last + 2] = job_key(job), record
  if state == 'ready' then
    line_up_new(job, priority, tenant)
  else
    scheduled[#scheduled + 1], scheduled[#scheduled + 2] = since, job
  end
  return { job, 1, state }
end

local function answer(job, i, record)
  record = record or seen[job]
  if record then return told_of(job, record, ARGV[i + 6]) end
  local other = ARGV[i + 5] ~= '' and holder(ARGV[i + 2] .. ' ' .. ARGV[i + 5])
  if not other or other == job then return draft(job, i) end
  local found = seen[other] or redis.call('GET', job_key(other))
  return { other, 0, found and parse(found).state or 'ready' }
end

-- How many wait beside the new ones, where that is too many; the new ready ones are counted.
local function no_room()
  if most_endings > 0 and #stored > 0 then
    local endings = redis.call('XLEN', OUTBOX)
    if endings >= most_endings then return -endings end
  end
  if ready > 0 then depth = redis.call('HINCRBY', COUNTS, 'ready', ready) end
  local waiting = depth - ready
  if most == 0 then return nil end
  local later = #scheduled > 0 and redis.call('ZCARD', SCHEDULED) or 0
  if (ready == 0 or waiting + ready <= most) and (#scheduled == 0 or later + #scheduled / 2 <= most) then return nil end
  if ready > 0 then redis.call('HINCRBY', COUNTS, 'ready', -ready) end
  return math.max(waiting, later)
end

local jobs = {}
for i = FIRST, #ARGV, FIELDS do jobs[#jobs + 1] = ARGV[i] end
local existing = records_of(jobs)
for n, job in ipairs(jobs) do results[n] = answer(job, (n - 1) * FIELDS + FIRST, existing[n]) end
local waiting = no_room()
if waiting then return waiting end
if #stored > 0 then redis.call('MSET', unpack(stored)) end
if #fields > 0 then
  redis.call('HSET', UNIQUE, unpack(fields))
  redis.call('HSET', LOCKS, unpack(locks))
end

if ready == 1 and depth == 1 and #stored == 2 then
  local _, members = next(lanes)
  if hand_over(members[1], stored[2]) then return results end
end
for lane, members in pairs(lanes) do
  if redis.call('RPUSH', lane_key(lane), unpack(members)) == #members then open_lane(lane, members.priority) end
end
local sooner = schedule(scheduled)
if ready > 0 or sooner then wake() end
return results
