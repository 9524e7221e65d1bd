-- Ends a lease and gives back all that was held under it. ARGV: worker
-- Returns the jobs given back. A worker that was revoked gives back nothing: its jobs are the reaper's

local worker, back = ARGV[1], {}
if redis.call('ZREM', WORKERS, worker) == 0 then return back end
redis.call('HDEL', CLAIMS, worker)
redis.call('HDEL', SLOTS, worker)
local waited = redis.call('ZREM', IDLE, worker) == 1
for i, held in ipairs(held_by(worker)) do back[i] = held[1] end
if #back == 0 and not waited then pass_word_on() end -- it may have been woken, and have left without reading it
return give_back(worker, back)
