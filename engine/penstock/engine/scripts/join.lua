-- Begins or prolongs a lease. ARGV: worker, lease (ms), how many jobs it can run at once (older workers do not say it)
-- Returns 1, or 0 where this worker's lease was revoked and the reaper still has jobs of it: its id must not be used again

local worker, slots = ARGV[1], tonumber(ARGV[3] or 0)
if redis.call('ZSCORE', REVOKED, worker) then return 0 end
redis.call('ZADD', WORKERS, now + ARGV[2], worker)
redis.call('HSETNX', CLAIMS, worker, 0)
if slots > 0 then redis.call('HSET', SLOTS, worker, slots) end

-- A reaper of an older version does not know that what its victims said is to be forgotten.
if redis.call('HLEN', SLOTS) > redis.call('ZCARD', WORKERS) then
  for _, other in ipairs(redis.call('HKEYS', SLOTS)) do
    if not redis.call('ZSCORE', WORKERS, other) then redis.call('HDEL', SLOTS, other) end
  end
end
return 1
