-- Prolongs a lease and tells what is held. ARGV: worker, lease (ms)
-- A lease that ran out but was not revoked is prolonged too: nobody has taken anything over yet.
-- Returns nil where the lease was revoked, else {now, {job, token, claim, …}, {jobs asked to cancel}}

local worker = ARGV[1]
if not redis.call('ZSCORE', WORKERS, worker) then return false end
redis.call('ZADD', WORKERS, now + ARGV[2], worker)

local flat, jobs, cancels = {}, {}, {}
for i, held in ipairs(held_by(worker)) do
  jobs[i] = held[1]
  for _, word in ipairs(held) do flat[#flat + 1] = word end
end
if #jobs > 0 and redis.call('EXISTS', CANCELS) == 1 then
  in_slices(jobs, function(before, ...)
    for i, asked in ipairs(redis.call('HMGET', CANCELS, ...)) do
      if asked then cancels[#cancels + 1] = jobs[before + i] end
    end
  end)
end
return { now, flat, cancels }
