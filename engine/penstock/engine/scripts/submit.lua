-- Stores new jobs. An id that exists is left alone.
-- ARGV: per job: id, priority, tenant, due (ms, '' for none), delay (ms), unique key ('' for none), body
-- Returns per job: {id that stands for it, 1 created | 0 duplicate, state}

local FIELDS = 7
local jobs = {}
for i = 1, #ARGV, FIELDS do jobs[#jobs + 1] = ARGV[i] end

local existing = records_of(jobs)
local results, stored, lanes, scheduled, ready = {}, {}, {}, {}, 0
local seen = {}

local function holder(field, job)
  local other = redis.call('HGET', UNIQUE, field)
  if other and other ~= job then return other end
end

local function create(job, i)
  local priority, tenant, unique, body = ARGV[i + 1], ARGV[i + 2], ARGV[i + 5], ARGV[i + 6]
  local due = math.max(now, tonumber(ARGV[i + 3]) or now + tonumber(ARGV[i + 4]))
  local state = due > now and 'scheduled' or 'ready'
  local flags = '-'
  if unique ~= '' then
    local field = tenant .. ' ' .. unique
    redis.call('HSET', UNIQUE, field, job)
    redis.call('HSET', LOCKS, job, field)
    flags = 'u'
  end
  stored[#stored + 1] = job_key(job)
  stored[#stored + 1] = '1 ' .. state .. ' 0 0 ' .. priority .. ' 0 ' .. now .. ' ' .. due .. ' 0 ' .. #body
    .. ' ' .. flags .. ' ' .. tenant .. '\n' .. body
  seen[job] = stored[#stored]
  if state == 'ready' then
    local lane = priority .. ':' .. tenant
    lanes[lane] = lanes[lane] or { priority = priority }
    table.insert(lanes[lane], job)
    ready = ready + 1
  else
    scheduled[#scheduled + 1] = due
    scheduled[#scheduled + 1] = job
  end
  return { job, 1, state }
end

for n, job in ipairs(jobs) do
  local i = (n - 1) * FIELDS + 1
  local record = existing[n] or seen[job]
  local unique = ARGV[i + 5]
  local other = not record and unique ~= '' and holder(ARGV[i + 2] .. ' ' .. unique, job)
  if record then
    local h = parse(record)
    results[n] = { job, body_of(record, h) == ARGV[i + 6] and 1 or 0, h.state }
  elseif other then
    local found = redis.call('GET', job_key(other))
    results[n] = { other, 0, seen[other] and parse(seen[other]).state or found and parse(found).state or 'ready' }
  else
    results[n] = create(job, i)
  end
end

if #stored > 0 then redis.call('MSET', unpack(stored)) end
for lane, members in pairs(lanes) do
  if redis.call('RPUSH', lane_key(lane), unpack(members)) == #members then open_lane(lane, members.priority) end
end
local sooner = schedule(scheduled)
if ready > 0 then redis.call('HINCRBY', COUNTS, 'ready', ready) end
if ready > 0 or sooner then wake() end
return results
