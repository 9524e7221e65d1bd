-- How full the server is. No ARGV
-- Returns {bytes in use that count towards its limit, the limit or 0 for none}

local info = redis.call('INFO', 'memory')
local function bytes(name) return tonumber(string.match(info, '\n' .. name .. ':(%d+)')) or 0 end
return { bytes('used_memory') - bytes('mem_not_counted_for_evict'), bytes('maxmemory') }
