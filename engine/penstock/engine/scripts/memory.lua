-- How full the server is, and whether relays have to keep up with this queue. No ARGV
-- Returns {bytes in use that count towards its limit, the limit or 0 for none or unknown,
--          most entries in OUTBOX for submissions to be taken or 0 where no sink is registered}

local most = tonumber(redis.call('GET', RELAYS)) or 0
local info = redis.pcall('INFO', 'memory') -- an ACL may keep it from us: then the server's own refusal must do
if type(info) == 'table' then return { 0, 0, most } end
local function bytes(name) return tonumber(string.match(info, '\n' .. name .. ':(%d+)')) or 0 end
return { bytes('used_memory') - bytes('mem_not_counted_for_evict'), bytes('maxmemory'), most }
