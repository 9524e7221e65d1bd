-- Holds a schedule, lets it go on from now, or drops what is known of it. ARGV: name, pause | resume | forget
-- Returns 1 where that changed something, 0 where it was so, nil where there is no such schedule

local s = standing_of(redis.call('HGET', SCHEDULES, ARGV[1]))
if not s then return false end
if ARGV[2] == 'forget' then
  redis.call('HDEL', SCHEDULES, ARGV[1])
  return 1
end
local wanted = ARGV[2] == 'pause' and 'paused' or 'on'
if s.state == wanted then return 0 end
if wanted == 'on' then s.last = math.max(s.last, now) end
s.state = wanted
keep(ARGV[1], s)
return 1
