-- Takes ready jobs for a worker with a live lease.
-- ARGV: worker, number of the claim, most jobs, 1 to take one suspect too, if empty: 1 to wait for a wake-up, 2 for one
--       that may bring a job
-- Returns nil without a live lease, else {now, next due or -1, 1 if ready jobs were left, {job, token, record, …}}

local worker, number, wanted = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not alive(worker) then return false end

local running = running_key(worker)
local ids, records = {}, {}
local answer = {}

local function ready_left()
  return tonumber(redis.call('HGET', COUNTS, 'ready') or 0) > 0 and 1 or 0
end

-- The answer to this claim was lost, or it was given back: what is still held under its number.
if tonumber(number) <= (tonumber(redis.call('HGET', CLAIMS, worker)) or 0) then
  local tokens = {}
  for i, held in ipairs(held_by(worker, number)) do ids[i], tokens[i] = held[1], held[2] end
  records = #ids > 0 and records_of(ids) or {}
  for i, job in ipairs(ids) do
    answer[#answer + 1] = job
    answer[#answer + 1] = tokens[i]
    answer[#answer + 1] = records[i] or ''
  end
  return { now, next_due(), ready_left(), answer }
end

-- Sends lanes that were served to the end of their rotation.
local function rotate(best, lanes)
  local turn = redis.call('HINCRBY', COUNTS, 'turn', #lanes) - #lanes
  local scores = {}
  for i, lane in ipairs(lanes) do
    scores[#scores + 1] = best * 1e12 + turn + i
    scores[#scores + 1] = lane
  end
  redis.call('ZADD', LANES, unpack(scores))
end

local function all_empty(lanes)
  local keys = {}
  for i, lane in ipairs(lanes) do keys[i] = lane_key(lane) end
  return redis.call('EXISTS', unpack(keys)) == 0
end

-- One visit to the lanes of the best priority, an equal share from each; true while lanes were found.
local function visit(popped, count)
  local lanes = redis.call('ZRANGE', LANES, 0, math.max(count, 2) - 1, 'WITHSCORES')
  if #lanes == 0 then return false end
  local best, peers = math.floor(lanes[2] / 1e12), 0
  while lanes[2 * peers + 2] and math.floor(lanes[2 * peers + 2] / 1e12) == best do peers = peers + 1 end
  local share = math.max(1, math.floor(count / peers))
  local emptied, served = {}, {}
  for i = 1, peers do
    if count == 0 then break end
    local lane, asked = lanes[2 * i - 1], math.min(share, count)
    local got = redis.call('LPOP', lane_key(lane), asked) or {}
    for _, job in ipairs(got) do popped[#popped + 1] = job end
    count = count - #got
    table.insert(#got < asked and emptied or served, lane)
  end
  if #emptied > 0 then redis.call('ZREM', LANES, unpack(emptied)) end
  if #served > 0 and peers > 1 then
    -- Where every lane held just what was taken from it, nobody need come back to find that out.
    if all_empty(served) then redis.call('ZREM', LANES, unpack(served)) else rotate(best, served) end
  end
  return true
end

-- Keeps what is still ready; a cancelled job stays in its line until it is met here.
local function keep(popped)
  if #popped == 0 then return end
  for i, record in ipairs(records_of(popped)) do
    if record and string.find(record, '^%d+ ready ') then
      ids[#ids + 1] = popped[i]
      records[#records + 1] = record
    elseif record then
      redis.call('PEXPIRE', job_key(popped[i]), CANCELLED_KEPT)
    end
  end
end

if ARGV[4] == '1' and wanted > 0 then
  while #ids == 0 do
    local suspect = redis.call('LPOP', SUSPECTS)
    if not suspect then break end
    keep({ suspect })
  end
end
local found = true
while found and #ids < wanted do
  local popped = {}
  while found and #popped < wanted - #ids do found = visit(popped, wanted - #ids - #popped) end
  keep(popped)
end

redis.call('HSET', CLAIMS, worker, number)
if #ids == 0 then
  if ARGV[5] ~= '0' then redis.call('ZADD', IDLE, now + (ARGV[5] - 1) / 2, worker) end
  return { now, next_due(), ready_left(), answer }
end

local token = redis.call('HINCRBY', COUNTS, 'token', #ids) - #ids
local behind, holds = ' ' .. number .. ' ' .. text_of(now), {}
for i, job in ipairs(ids) do
  local text = text_of(token + i)
  holds[2 * i - 1], holds[2 * i] = job, text .. behind
  answer[3 * i - 2], answer[3 * i - 1], answer[3 * i] = job, text, records[i]
end
-- A value of more than 64 bytes makes the hash a table. Else, up to 512 jobs, the server keeps it as a list, and looks
-- for each job from the beginning: at 400 jobs held, a quarter of all that it does for a job.
if #ids > 8 then holds[2] = string.format('%d %s %064d', token + 1, number, now) end
redis.call('HSET', running, unpack(holds))
redis.call('ZREM', IDLE, worker)
local left = redis.call('HINCRBY', COUNTS, 'ready', -#ids)
if left > 0 then wake() end
return { now, next_due(), left > 0 and 1 or 0, answer }
