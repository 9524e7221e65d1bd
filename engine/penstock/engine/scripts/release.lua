-- Gives back jobs that were not started or not finished. ARGV: worker, then per job: id, token
-- Returns the jobs given back, oldest claim first: those whose token is still the holder's

local worker, jobs, back = ARGV[1], {}, {}
if redis.call('ZSCORE', REVOKED, worker) then return back end
local tokens = {}
for i = 2, #ARGV, 2 do jobs[#jobs + 1] = ARGV[i] end
for n, held in ipairs(redis.call('HMGET', running_key(worker), unpack(jobs))) do
  if held and not tokens[jobs[n]] and string.match(held, '^%d+') == ARGV[2 * n + 1] then
    tokens[jobs[n]] = tonumber(ARGV[2 * n + 1])
    back[#back + 1] = jobs[n]
  end
end
table.sort(back, function(a, b) return tokens[a] < tokens[b] end)
return give_back(worker, back)
