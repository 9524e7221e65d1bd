-- One job now. ARGV: job
-- Returns nil for no such job, else {record, worker that holds it or '', since when (ms)}

local job = ARGV[1]
local record = redis.call('GET', job_key(job))
if not record then return false end
if string.find(record, '^%d+ ready ') then
  for _, set in ipairs({ WORKERS, REVOKED }) do
    for _, worker in ipairs(redis.call('ZRANGE', set, 0, -1)) do
      local held = redis.call('HGET', running_key(worker), job)
      if held then return { record, worker, tonumber(string.match(held, '(%d+)$')) } end
    end
  end
end
return { record, '', 0 }
