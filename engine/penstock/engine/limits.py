"""Bounds on everything that comes from outside. Bytes and seconds."""

MAX_ARGUMENTS = 256 * 1024
"""One job's arguments, encoded; larger data belongs into a blob store, its name into the arguments."""
MAX_RESULT = 256 * 1024
MAX_ERROR_MESSAGE = 2_000  # characters
MAX_TRACEBACK = 8_000  # characters, the innermost frames are kept
MAX_FAILURES = 500
"""Fingerprints of failures that are counted in one queue: 250 KB or so. Nobody mends more at a time."""
MAX_DELAY = 366 * 24 * 3600.0
MAX_KEY = 200
"""Characters of an idempotency key, a unique key, or the name of a user."""
RESULT_TTL = 24 * 3600.0
"""How long the record of a job that ended well stays readable."""
DEAD_TTL = 30 * 24 * 3600.0
UNKNOWN_JOB_TTL = 3600.0
"""How long a job that no worker here knows is offered again before it dies."""
MAX_WAITING = 10_000_000
"""Ready jobs in one queue, and as many scheduled ones: 2 GB each at 200 bytes. A client may say otherwise."""
MAX_REPLICAS = 10
"""Replicas that one submission may wait for."""
MAX_ENDINGS = 1_000_000
"""Endings of one queue that may wait for relays before it takes no more jobs: 400 MB at 300 bytes each."""
