-- Makes scheduled and parked jobs ready that are due, oldest first. ARGV: most jobs
-- Returns {jobs made ready, next due or -1, now}

local due = redis.call('ZRANGEBYSCORE', SCHEDULED, '-inf', now, 'LIMIT', 0, ARGV[1])
if #due == 0 then return { 0, next_due(), now } end

local moved = 0
for i, record in ipairs(records_of(due)) do
  local h = record and parse(record)
  if h and (h.state == 'scheduled' or h.state == 'parked') then
    h.state = 'ready'
    rewrite(due[i], record, h)
    line_up('RPUSH', due[i], h)
    moved = moved + 1
  end
end
redis.call('ZREM', SCHEDULED, unpack(due))
if moved > 0 then
  redis.call('HINCRBY', COUNTS, 'ready', moved)
  wake()
end
return { moved, next_due(), now }
