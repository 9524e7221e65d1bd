-- Gives back all that is held under one claim and uses its number up. ARGV: worker, number of the claim
-- Returns the jobs given back

local worker, number, back = ARGV[1], ARGV[2], {}
if redis.call('ZSCORE', REVOKED, worker) then return back end
for i, held in ipairs(held_by(worker, number)) do back[i] = held[1] end
local last = tonumber(redis.call('HGET', CLAIMS, worker))
if last and last < tonumber(number) then redis.call('HSET', CLAIMS, worker, number) end
return give_back(worker, back)
