-- Ends attempts that the worker still holds under their tokens.
-- ARGV: worker, number of jobs, then per job: id, token, state, attempt, delay or time to keep (ms), ending;
-- then per failure to be counted: its place among the jobs (1 for the first), fingerprint, what it looks like
-- Returns per job: 1 it stands (now, or by an earlier sending of the same), 0 the token is not the holder's

local worker, FIELDS = ARGV[1], 6
local behind = 3 + tonumber(ARGV[2]) * FIELDS
local jobs = {}
for i = 3, behind - 1, FIELDS do jobs[#jobs + 1] = ARGV[i] end

local running = running_key(worker)
local held, records = redis.call('HMGET', running, unpack(jobs)), records_of(jobs, RELAYS)
local relaying = records[#jobs + 1] -- asked for with the records: without relays they cost no command
if redis.call('ZSCORE', REVOKED, worker) then held = {} end
local seen, applied = {}, {}
local results, released, events, scheduled, ready = {}, {}, {}, {}, 0

local function apply(job, record, h, i)
  local delay, ending = ARGV[i + 4], ARGV[i + 5]
  h.token, h.state, h.attempt = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if FINAL[h.state] then
    h.ended = now
    local text = rewrite(job, record, h, ending, delay)
    ended(job, h, events)
    if relaying then hand_on(job, text) end
    if h.state == 'dead' then bury(job, delay) end
    return
  end
  if h.state == 'ready' then
    h.due = now
    line_up('RPUSH', job, h)
    ready = ready + 1
  else
    scheduled[#scheduled + 1] = now + delay
    scheduled[#scheduled + 1] = job
    -- A parked job has been due all along: its age goes on counting.
    if h.state == 'scheduled' then h.due = now + delay end
  end
  local text = rewrite(job, record, h, ending)
  if relaying and h.state ~= 'parked' then hand_on(job, text) end -- a parked job has had no attempt
end

for n, job in ipairs(jobs) do
  local i = 3 + (n - 1) * FIELDS
  local token = ARGV[i + 1]
  local h = records[n] and parse(records[n])
  if seen[job] then
    results[n] = seen[job] == token and 1 or 0
  elseif h and held[n] and string.match(held[n], '^%d+') == token then
    seen[job] = token
    apply(job, records[n], h, i)
    applied[n] = true
    released[#released + 1] = job
    results[n] = 1
  else
    results[n] = h and h.token == token and 1 or 0
  end
end

if #released > 0 then
  redis.call('HDEL', running, unpack(released))
  redis.call('HDEL', CANCELS, unpack(released))
end
local sooner = schedule(scheduled)
if ready > 0 then redis.call('HINCRBY', COUNTS, 'ready', ready) end
publish(events)
-- What was counted by an earlier sending does not come here again.
local failed = {}
for i = behind, #ARGV, 3 do
  local n = tonumber(ARGV[i])
  if applied[n] then failed[#failed + 1] = { ARGV[i + 1], jobs[n], ARGV[i + 2] } end
end
count_failures(failed)
if ready > 0 or sooner then wake() end
return results
