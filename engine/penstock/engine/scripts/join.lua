-- Begins or prolongs a lease. ARGV: worker, lease (ms)
-- Returns 1, or 0 where this worker's lease was revoked and the reaper still has jobs of it: its id must not be used again

local worker = ARGV[1]
if redis.call('ZSCORE', REVOKED, worker) then return 0 end
redis.call('ZADD', WORKERS, now + ARGV[2], worker)
redis.call('HSETNX', CLAIMS, worker, 0)
return 1
