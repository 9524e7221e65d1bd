-- Depths, ages and workers of the queue. No ARGV of its own: report.lua goes on with this file
-- Returns {now, ready, scheduled, running, dead, workers, oldest ready due, oldest running since, next due, slots};
-- -1 for none

local LOOKED_AT = 256 -- lanes whose head is looked at for the age of the oldest ready job
local PASSED = 1000 -- cancelled jobs at the head of one lane that are looked past

local function due_of(record)
  local h = record and parse(record)
  return h and h.state == 'ready' and tonumber(h.due) or nil
end

-- The due time of the first job in a line that still stands; looks past at most PASSED cancelled ones.
local function first_due(line)
  for start = 1, PASSED, 100 do
    local jobs = redis.call('LRANGE', line, start, start + 99)
    if #jobs == 0 then return nil end
    for _, record in ipairs(records_of(jobs)) do
      local due = due_of(record)
      if due then return due end
    end
  end
end

local function oldest_ready()
  local lines, heads, oldest = { SUSPECTS }, {}, -1
  for _, lane in ipairs(redis.call('ZRANGE', LANES, 0, LOOKED_AT - 1)) do lines[#lines + 1] = lane_key(lane) end
  for i, line in ipairs(lines) do heads[i] = redis.call('LINDEX', line, 0) or '' end
  for i, record in ipairs(records_of(heads)) do
    local due = due_of(record) or (heads[i] ~= '' and first_due(lines[i]))
    if due and (oldest < 0 or due < oldest) then oldest = due end
  end
  return oldest
end

local running, since = 0, -1
for _, set in ipairs({ WORKERS, REVOKED }) do
  for _, worker in ipairs(redis.call('ZRANGE', set, 0, -1)) do
    for _, held in ipairs(redis.call('HVALS', running_key(worker))) do
      local at = tonumber(string.match(held, '^%d+ %d+ (%d+)'))
      running = running + 1
      if since < 0 or at < since then since = at end
    end
  end
end

local living, slots = redis.call('ZRANGEBYSCORE', WORKERS, '(' .. now, '+inf'), 0
in_slices(living, function(_, ...)
  for _, told in ipairs(redis.call('HMGET', SLOTS, ...)) do slots = slots + (tonumber(told) or 0) end
end)

return {
  now, tonumber(redis.call('HGET', COUNTS, 'ready')) or 0, redis.call('ZCARD', SCHEDULED), running,
  redis.call('ZCARD', DEAD), #living, oldest_ready(), since, next_due(), slots,
}
