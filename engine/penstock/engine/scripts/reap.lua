-- Revokes expired leases, then takes back at most so many of the jobs held under revoked ones.
-- ARGV: most jobs, crashes that make a job dead, its ending, how long to keep it (ms), patience (ms), and if
-- that failure is to be counted: fingerprint, what it looks like
-- Patience: when nobody has reaped for half of it, the server or everybody else stood still, and workers that
-- live may not have been able to beat; then nobody is revoked until it has passed once more, but after three
-- times that, standstill upon standstill, whoever is late is revoked all the same. 0 for none.
-- Returns {{workers revoked}, {jobs made ready}, {jobs dead}, 1 if more are waiting}

local limit, max_crashes, ending, keep = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local patience = tonumber(ARGV[5])

local function patient()
  if patience == 0 then return false end
  local seen = redis.call('HMGET', COUNTS, 'reaped', 'patient_until', 'patient_since')
  local reaped, patient_until, since = tonumber(seen[1] or 0), tonumber(seen[2] or 0), tonumber(seen[3] or 0)
  if now - reaped > patience / 2 then
    if since == 0 or now - patient_until >= patience then since = now end
    patient_until = math.min(now + patience, since + 3 * patience)
  end
  if now >= patient_until then since = 0 end
  redis.call('HSET', COUNTS, 'reaped', now, 'patient_until', patient_until, 'patient_since', since)
  return now < patient_until
end

local expired = patient() and {} or redis.call('ZRANGEBYSCORE', WORKERS, '-inf', now)
for _, worker in ipairs(expired) do
  redis.call('ZADD', REVOKED, now, worker)
  redis.call('ZREM', WORKERS, worker)
  redis.call('ZREM', IDLE, worker)
  redis.call('HDEL', CLAIMS, worker)
  redis.call('HDEL', SLOTS, worker)
end

local returned, dead, events = {}, {}, {}

local function take_back(job, record)
  local h = parse(record)
  if not h then return end
  h.crashes = tostring(h.crashes + 1)
  if tonumber(h.crashes) < max_crashes then
    rewrite(job, record, h)
    line_up('RPUSH', job, h)
    returned[#returned + 1] = job
    return
  end
  h.state, h.ended = 'dead', now -- the token stays: a late settlement of the holder is refused
  local text = rewrite(job, record, h, ending, keep)
  conclude(job, h, events)
  if relayed() then hand_on(job, text) end
  bury(job, keep)
  redis.call('HDEL', CANCELS, job)
  dead[#dead + 1] = job
end

-- At most `count` of a hash's fields; HSCAN gives a small hash whole and a large one in pieces.
local function some_of(hash, count)
  if redis.call('HLEN', hash) <= count then return redis.call('HGETALL', hash) end
  local flat, cursor = {}, '0'
  repeat
    local page = redis.call('HSCAN', hash, cursor, 'COUNT', count)
    cursor = page[1]
    for _, word in ipairs(page[2]) do flat[#flat + 1] = word end
  until #flat >= 2 * count or cursor == '0'
  while #flat > 2 * count do table.remove(flat) end
  return flat
end

local function take_from(worker, room)
  local flat, held, jobs = some_of(running_key(worker), room), {}, {}
  for i = 1, #flat, 2 do held[#held + 1] = { flat[i], string.match(flat[i + 1], '^%d+') } end
  table.sort(held, function(a, b) return tonumber(a[2]) < tonumber(b[2]) end)
  for i, pair in ipairs(held) do jobs[i] = pair[1] end
  if #jobs == 0 then return end
  for i, record in ipairs(records_of(jobs)) do
    if record then take_back(jobs[i], record) end
  end
  redis.call('HDEL', running_key(worker), unpack(jobs))
end

for _, worker in ipairs(redis.call('ZRANGE', REVOKED, 0, -1)) do
  local room = limit - #returned - #dead
  if room > 0 then take_from(worker, room) end
  -- Remembered only while jobs of it wait to be moved.
  if redis.call('EXISTS', running_key(worker)) == 0 then redis.call('ZREM', REVOKED, worker) end
end

publish(events)
if ARGV[6] then
  local failed = {}
  for i, job in ipairs(dead) do failed[i] = { ARGV[6], job, ARGV[7] } end
  count_failures(failed)
end
if #returned > 0 then
  redis.call('HINCRBY', COUNTS, 'ready', #returned)
  wake()
end
return { expired, returned, dead, redis.call('EXISTS', REVOKED) }
