-- Moves a schedule on to a moment and stores that moment's job, both or neither. Schedules only go forward.
-- Behind schedules.lua and submit.lua, which is a function here: it takes its arguments and answers as it says there.
-- ARGV: name, moment (ms), the one after it (ms), worker, then what submit takes, one job; without it the moment is
--       passed over
-- Returns {word, now, job that stands for the moment or '', 1 it is its own | 0}, the words being
--   fired    it was done, now or by an earlier sending of this worker's
--   early    by this clock the moment has not come: nothing was done, as in what follows
--   past     somebody was there before   paused   unknown   nobody has declared it
-- or, where there is no room, what submit returns: nothing was done

local FIRST_OF_SUBMIT, ID = 5, 7
local name, moment, following, worker, own = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[ID]
local s = standing_of(redis.call('HGET', SCHEDULES, name))

if not s then return { 'unknown', now, '', 0 } end
if s.last == moment and s.by == worker then
  return { 'fired', now, own and s.job or '', s.job == own and 1 or 0 }
end
if s.last >= moment then return { 'past', now, '', 0 } end
if s.state == 'paused' then return { 'paused', now, '', 0 } end
if now < moment then return { 'early', now, '', 0 } end

local job, created = '', 0
if own then
  local submission = {}
  for i = FIRST_OF_SUBMIT, #ARGV do submission[#submission + 1] = ARGV[i] end
  local answer = submit(submission)
  if type(answer) == 'number' then return answer end
  job, created = answer[1][1], answer[1][2]
  s.job = job
end
s.last, s.following, s.by = moment, following, worker
keep(name, s)
return { 'fired', now, job, created }
