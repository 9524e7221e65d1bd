"""The cache's scripts. KEYS are an entry and its lock, which share a slot; times are milliseconds.

Each may be sent twice: what it is to do only for the lock's holder, it does once.
"""

from penstock.engine.transport import Script

# ARGV: token, how long the lock is held. Returns the entry; where there is none 1 if the lock is the
# caller's, now or by an earlier sending, and 0 if it is somebody else's.
READ_OR_LOCK = Script(
    "cache_read_or_lock",
    """
local entry = redis.call('GET', KEYS[1])
if entry then return entry end
local holder = redis.call('GET', KEYS[2])
if not holder then redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2]) end
return (not holder or holder == ARGV[1]) and 1 or 0
""",
)

# ARGV: token, how long the lock is held from now. Returns 1 if it was still held.
RENEW = Script(
    "cache_renew",
    """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[2], ARGV[2])
""",
)

# ARGV: token, entry, how long it lives. Returns 1 if the lock was held, and the entry is stored.
FILL = Script(
    "cache_fill",
    """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return redis.call('DEL', KEYS[2])
""",
)

# ARGV: token. Returns 1 if the lock was held.
UNLOCK = Script(
    "cache_unlock",
    """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[2])
""",
)

# ARGV: entry, how long it lives.
WRITE = Script(
    "cache_write",
    """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('DEL', KEYS[2])
""",
)
