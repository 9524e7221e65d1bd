"""What the bus has Redis do in one step. KEYS[1] is a topic's log; times are milliseconds.

Each may be sent twice: PUBLISH knows its ids again; what TAKE gave in an answer that was lost is given again,
because the member looks back after every loss; the others bring about the same state again.
"""

from penstock.engine.transport import Script

LEFT = "left"
"""The member that has what those that left had not committed; it counts as dead always."""

_PRELUDE = f"""
local log, LEFT = KEYS[1], '{LEFT}'
local function facts(flat)
  local about = {{}}
  for i = 1, #flat, 2 do about[flat[i]] = flat[i + 1] end
  return about
end
local function find_group(name)
  local groups = redis.pcall('XINFO', 'GROUPS', log)
  for _, flat in ipairs(groups.err and {{}} or groups) do
    local about = facts(flat)
    if about.name == name then return about end
  end
end
local function is_dead(about, silence) return about.name == LEFT or about.idle > silence end
"""

# KEYS[2]: ids and when they came. ARGV: how long ids are known, how many at most; how many events are kept
# anyway, how many at all; then for each event its id, time, data, headers and key.
# Returns how many were dropped that a group had not committed. Past the first number goes what every group
# has committed, past the second the oldest. Without a group nothing counts as unread.
PUBLISH = Script(
    "bus_publish",
    _PRELUDE
    + """
local ids = KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', ids, '-inf', now - ARGV[1])
for i = 5, #ARGV, 5 do
  if redis.call('ZADD', ids, 'NX', now, ARGV[i]) == 1 then
    redis.call('XADD', log, '*', 'id', ARGV[i], 'time', ARGV[i + 1], 'data', ARGV[i + 2],
      'headers', ARGV[i + 3], 'key', ARGV[i + 4])
  end
end
redis.call('ZREMRANGEBYRANK', ids, 0, -1 - ARGV[2])
redis.call('PEXPIRE', ids, ARGV[1])

local keep, most = tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('XLEN', log) <= keep then return 0 end

local function parts(id)
  local high, low = string.match(id, '(%d+)-(%d+)')
  return tonumber(high), tonumber(low)
end
local function earlier(a, b)
  local a_high, a_low = parts(a)
  local b_high, b_low = parts(b)
  return a_high < b_high or (a_high == b_high and a_low < b_low)
end

local groups, safe = {}, nil
for i, flat in ipairs(redis.call('XINFO', 'GROUPS', log)) do
  groups[i] = facts(flat)
  local pending = redis.call('XPENDING', log, groups[i].name)
  local needed = pending[1] > 0 and pending[2] or groups[i]['last-delivered-id']
  if not safe or earlier(needed, safe) then safe = needed end
end
if safe then redis.call('XTRIM', log, 'MINID', safe) end
local length = redis.call('XLEN', log)
if length <= most then return 0 end

local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1][1]
redis.call('XTRIM', log, 'MAXLEN', most)
local left = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1][1]
local dropped = 0
for _, group in ipairs(groups) do
  local undelivered = math.max(0, (group.lag or length) - most)
  local pending = redis.call('XPENDING', log, group.name, first, '(' .. left, length - most)
  dropped = math.max(dropped, undelivered + #pending)
end
return math.min(dropped, length - most)
""",
)

# ARGV: group, where it begins. Makes the group unless it is there.
JOIN = Script(
    "bus_join",
    _PRELUDE
    + """
if find_group(ARGV[1]) then return 0 end
redis.call('XGROUP', 'CREATE', log, ARGV[1], ARGV[2], 'MKSTREAM')
return 1
""",
)

# ARGV: group, member, how many, silence after which a member counts as dead, 1 to look after the dead, how
# many of the member's own to look back on. Returns the group's position and (id, fields) of each entry: its
# own that are not committed and what the dead had, else new ones. Entries that are gone are committed.
TAKE = Script(
    "bus_take",
    _PRELUDE
    + """
local group, me = ARGV[1], ARGV[2]
local count, silence, back = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local entries = {}
local function add(found)
  for _, entry in ipairs(found) do
    if entry[2] then entries[#entries + 1] = entry else redis.call('XACK', log, group, entry[1]) end
  end
end
local function read(from, most)
  local reply = redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', most, 'STREAMS', log, from)
  if reply then add(reply[1][2]) end
end

local state = find_group(group)
if not state then redis.call('XGROUP', 'CREATE', log, group, '0', 'MKSTREAM') end
if back > 0 then read('0', back) end
if ARGV[5] == '1' then
  redis.call('XCLAIM', log, group, me, 0, '0-0', 'JUSTID')
  local room = count
  for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', log, group)) do
    local about = facts(flat)
    if about.name ~= me and is_dead(about, silence) then
      if about.pending == 0 then
        redis.call('XGROUP', 'DELCONSUMER', log, group, about.name)
      elseif room > 0 then
        local ids = {}
        local held = redis.call('XPENDING', log, group, '-', '+', room, about.name)
        for i, one in ipairs(held) do ids[i] = one[1] end
        add(redis.call('XCLAIM', log, group, me, 0, unpack(ids)))
        room = room - #ids
      end
    end
  end
end
if #entries == 0 then read('>', count) end
return {state and state['last-delivered-id'] or '0-0', entries}
""",
)

# ARGV: group, member, silence. Says that the member lives. Returns what it holds, and where it is the first
# by name of those that live, also what nobody has and what the dead hold.
SHARE = Script(
    "bus_share",
    _PRELUDE
    + """
local group, me, silence = ARGV[1], ARGV[2], tonumber(ARGV[3])
local state = find_group(group)
if not state then return 0 end
redis.call('XCLAIM', log, group, me, 0, '0-0', 'JUSTID')
local mine, dead, first = 0, 0, true
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', log, group)) do
  local about = facts(flat)
  if about.name == me then mine = about.pending
  elseif is_dead(about, silence) then dead = dead + about.pending
  elseif about.name < me then first = false end
end
if not first then return mine end
return mine + dead + (state.lag or redis.call('XLEN', log))
""",
)

# ARGV: group, member. What the member has not committed may be taken over at once; the member is forgotten.
LEAVE = Script(
    "bus_leave",
    _PRELUDE
    + """
local group, me = ARGV[1], ARGV[2]
if not find_group(group) then return 0 end
repeat
  local held = redis.call('XPENDING', log, group, '-', '+', 1000, me)
  local ids = {}
  for i, one in ipairs(held) do ids[i] = one[1] end
  if #ids > 0 then redis.call('XCLAIM', log, group, LEFT, 0, unpack(ids)) end
until #held == 0
return redis.call('XGROUP', 'DELCONSUMER', log, group, me)
""",
)
