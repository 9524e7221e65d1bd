-- A sink has these entries: they go once every sink has them. ARGV: sink, ids
-- Returns how many were acknowledged by this call

local done = redis.call('XACK', OUTBOX, unpack(ARGV))
trim()
return done
