-- Keeps entries apart that a relay cannot read, and acknowledges them. ARGV: sink, ids
-- Returns how many were set aside by this call

local sink, done = ARGV[1], 0
for i = 2, #ARGV do
  local entry = redis.call('XRANGE', OUTBOX, ARGV[i], ARGV[i])[1]
  if redis.call('XACK', OUTBOX, sink, ARGV[i]) == 1 and entry then
    redis.call('XADD', ASIDE, 'MAXLEN', ASIDE_KEPT, '*', 'sink', sink, unpack(entry[2]))
    done = done + 1
  end
end
trim()
return done
