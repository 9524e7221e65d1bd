-- Says where all schedules of a queue stand, and notes that some of them are attended to. What is not known begins now.
-- ARGV: 1 where a worker begins: what it declares differently begins anew, and what nobody attends to is dropped,
--       else 0; then per schedule: name, the moment that comes next (ms), what was declared, and the moment from
--       which on one begins that is not known here (ms; 0 for now)
-- Returns {now, {name, where it stands, …}}

for i = 2, #ARGV, 4 do
  local s = standing_of(redis.call('HGET', SCHEDULES, ARGV[i]))
  local changed = s and ARGV[1] == '1' and s.text ~= ARGV[i + 2]
  if not s then
    local last = ARGV[i + 3] == '0' and now or ARGV[i + 3]
    keep(ARGV[i], { last = last, following = ARGV[i + 1], seen = now, state = 'on', job = '-', by = '-', text = ARGV[i + 2] })
  elseif changed or now - s.seen >= SEEN_AGAIN then
    s.seen = now
    if changed then
      s.last, s.following, s.text = math.max(s.last, now), ARGV[i + 1], ARGV[i + 2]
    end
    keep(ARGV[i], s)
  end
end

local flat, kept = redis.call('HGETALL', SCHEDULES), {}
for i = 1, #flat, 2 do
  local s = standing_of(flat[i + 1])
  if ARGV[1] == '1' and s and now - s.seen >= FORGOTTEN_AFTER then
    redis.call('HDEL', SCHEDULES, flat[i])
  elseif s then
    kept[#kept + 1], kept[#kept + 2] = flat[i], flat[i + 1]
  end
end
return { now, kept }
