-- Ends a waiting job, or asks the worker that runs it. ARGV: job, how long to keep the record (ms)
-- Returns nil for no such job, else {state after it, 1 if this call changed something}

local job, keep = ARGV[1], ARGV[2]
local record = redis.call('GET', job_key(job))
local h = record and parse(record)
if not h then return false end
if FINAL[h.state] then return { h.state, 0 } end

for _, set in ipairs({ WORKERS, REVOKED }) do
  for _, worker in ipairs(redis.call('ZRANGE', set, 0, -1)) do
    if redis.call('HEXISTS', running_key(worker), job) == 1 then
      local asked = redis.call('HSET', CANCELS, job, now)
      redis.call('SPUBLISH', root .. 'wake:' .. worker, 'cancel ' .. job)
      return { 'running', asked }
    end
  end
end

local events = {}
if h.state == 'ready' then
  -- It stays in its line. The claim that meets it passes over it and sets its expiry; until then the record
  -- must not go, or the same id, submitted again, would stand in the line twice.
  redis.call('HINCRBY', COUNTS, 'ready', -1)
  keep = nil
else
  redis.call('ZREM', SCHEDULED, job)
end
redis.call('HDEL', CANCELS, job)
h.state, h.ended = 'cancelled', now
local text = rewrite(job, record, h, nil, keep)
conclude(job, h, events)
publish(events)
if relayed() then hand_on(job, text) end
return { 'cancelled', 1 }
