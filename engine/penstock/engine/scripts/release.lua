-- Gives back jobs that were not started or not finished. ARGV: worker, then per job: id, token
-- Returns the jobs given back: those whose token is still the holder's

local worker, jobs, back = ARGV[1], {}, {}
if redis.call('ZSCORE', REVOKED, worker) then return back end
local seen = {}
for i = 2, #ARGV, 2 do jobs[#jobs + 1] = ARGV[i] end
for n, held in ipairs(redis.call('HMGET', running_key(worker), unpack(jobs))) do
  if held and not seen[jobs[n]] and string.match(held, '^%d+') == ARGV[2 * n + 1] then
    seen[jobs[n]] = true
    back[#back + 1] = jobs[n]
  end
end
return give_back(worker, back)
