-- Ends attempts that the worker still holds under their tokens.
-- ARGV: worker, number of jobs, then per job: id, token, state, attempt, delay or time to keep (ms), ending;
-- then per failure to be counted: its place among the jobs (1 for the first), fingerprint, what it looks like
-- Returns per job: 1 it stands (now, or by an earlier sending of the same), 0 the token is not the holder's

local worker, FIELDS = ARGV[1], 6
local behind = 3 + tonumber(ARGV[2]) * FIELDS
local jobs = {}
for i = 3, behind - 1, FIELDS do jobs[#jobs + 1] = ARGV[i] end

local running, today = running_key(worker), text_of(now)
local held, records = redis.call('HMGET', running, unpack(jobs)), records_of(jobs, RELAYS)
local relaying = records[#jobs + 1] -- asked for with the records: without relays they cost no command
if redis.call('ZSCORE', REVOKED, worker) then held = {} end
local seen, applied = {}, {}
local results, released, events, scheduled, ready = {}, {}, {}, {}, 0

-- What a last header keeps of the one before, in as few pieces as it can: version; crashes and priority; times; and
-- from where on it is the same, the body with it, with what says how far that goes: size, and where the body begins.
local KEPT = '^(%d+) %l+ %d+( %d+ %d+ )%d+( %d+ %d+ )%d+() (%d+) (%S+) [^\n]*\n()'

-- Ends a job. Most settlements do just this, so the header is not taken apart for it.
local function finish(job, record, i)
  local version, crashes, times, from, size, flags, at = string.match(record, KEPT)
  if not version then return false end
  local token, state, keep = ARGV[i + 1], ARGV[i + 2], ARGV[i + 4]
  local word = state .. ' ' .. ARGV[i + 3]
  local text = version .. ' ' .. word .. crashes .. token .. times .. today .. string.sub(record, from, at + size - 1)
    .. ARGV[i + 5]
  redis.call('SET', job_key(job), text, 'PX', tonumber(keep) > 0 and keep or 1)
  if flags ~= '-' then unlock(job, flags) end
  local last = #events
  events[last + 1], events[last + 2] = job, word .. ' ' .. token
  if relaying then hand_on(job, text) end
  if state == 'dead' then bury(job, keep) end
  return true
end

-- Ends an attempt of a job that goes on.
local function go_on(job, record, i)
  local h = parse(record)
  if not h then return false end
  h.token, h.state, h.attempt = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if h.state == 'ready' then
    h.due = today
    line_up('RPUSH', job, h)
    ready = ready + 1
  else
    local last, due = #scheduled, text_of(now + ARGV[i + 4])
    scheduled[last + 1], scheduled[last + 2] = due, job
    -- A parked job has been due all along: its age goes on counting.
    if h.state == 'scheduled' then h.due = due end
  end
  local text = rewrite(job, record, h, ARGV[i + 5])
  if relaying and h.state ~= 'parked' then hand_on(job, text) end -- a parked job has had no attempt
  return true
end

local function apply(job, record, i)
  if FINAL[ARGV[i + 2]] then return finish(job, record, i) end
  return go_on(job, record, i)
end

for n, job in ipairs(jobs) do
  local i = 3 + (n - 1) * FIELDS
  local token, record = ARGV[i + 1], records[n]
  if seen[job] then
    results[n] = seen[job] == token and 1 or 0
  elseif record and held[n] and string.match(held[n], '^%d+') == token and apply(job, record, i) then
    seen[job], applied[n], results[n] = token, true, 1
    released[#released + 1] = job
  else
    local h = record and parse(record)
    results[n] = h and h.token == token and 1 or 0
  end
end

if #released > 0 then
  redis.call('HDEL', running, unpack(released))
  if redis.call('EXISTS', CANCELS) == 1 then redis.call('HDEL', CANCELS, unpack(released)) end
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
