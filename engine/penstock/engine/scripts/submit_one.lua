-- Stores one job that has no unique key, as `submit` does, which has much to define for what only many or such need.
-- ARGV: as for `submit`, whose unique key is empty
-- Returns as `submit` does

local most, most_endings, job, priority, tenant = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local due, body, key = tonumber(ARGV[6]) or now + ARGV[7], ARGV[9], job_key(ARGV[3])
local state, today = 'ready', text_of(now)
local since = today
if due > now then state, since = 'scheduled', text_of(due) end
local record = new_record(state, priority, today, since, '-', tenant, body)

-- The job is looked for and stored in one command; where there is no room, it is taken out again.
local older = redis.call('SET', key, record, 'NX', 'GET')
if older then return { told_of(job, older, body) } end

local function refuse(waiting)
  redis.call('DEL', key)
  return waiting
end

local endings = most_endings > 0 and redis.call('XLEN', OUTBOX) or 0
if most_endings > 0 and endings >= most_endings then return refuse(-endings) end

if state == 'scheduled' then
  local scheduled = most > 0 and redis.call('ZCARD', SCHEDULED) or 0
  if most > 0 and scheduled >= most then return refuse(scheduled) end
  if schedule({ since, job }) then wake() end
  return { { job, 1, state } }
end

local ready = redis.call('HINCRBY', COUNTS, 'ready', 1)
if most > 0 and ready > most then
  redis.call('HINCRBY', COUNTS, 'ready', -1)
  return refuse(ready - 1)
end
if ready > 1 or not hand_over(job, record) then
  local lane = priority .. ':' .. tenant
  if redis.call('RPUSH', lane_key(lane), job) == 1 then open_lane(lane, priority) end
  wake()
end
return { { job, 1, state } }
