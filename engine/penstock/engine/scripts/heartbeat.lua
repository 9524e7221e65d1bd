-- Prolongs a lease. ARGV: worker, lease (ms)
-- A lease that ran out but was not revoked is prolonged too: nobody has taken anything over yet.
-- Returns nil where the lease was revoked, else {now, how many jobs are held, {those that somebody asked to cancel}}

local worker = ARGV[1]
if not redis.call('ZSCORE', WORKERS, worker) then return false end
redis.call('ZADD', WORKERS, now + ARGV[2], worker)

-- The fields that two hashes share, looked for from the smaller one.
local function shared(one, other)
  if redis.call('HLEN', one) > redis.call('HLEN', other) then one, other = other, one end
  local fields, both = redis.call('HKEYS', one), {}
  in_slices(fields, function(before, ...)
    for i, found in ipairs(redis.call('HMGET', other, ...)) do
      if found then both[#both + 1] = fields[before + i] end
    end
  end)
  return both
end

local running = running_key(worker)
local asked = redis.call('EXISTS', CANCELS) == 1 and shared(CANCELS, running) or {}
return { now, redis.call('HLEN', running), asked }
