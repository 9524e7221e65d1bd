"""What the cache counts."""

from penstock.engine.metric import PART, Counter, Gauge, Histogram, Metric

READS = Counter(
    PART,
    "cache_reads",
    "Reads of the cache: hit_local (in this process), hit, negative (it is kept that there is nothing), "
    "miss, error (the store did not answer).",
    ("module", "result"),
)
LOADS = Counter(
    PART,
    "cache_loads",
    "Loads that get_or_load ran: loaded, none (there is nothing), failed, cancelled, too_large (not kept).",
    ("module", "result"),
)
LOAD_SECONDS = Histogram(PART, "cache_load_seconds", "How long loads ran.", ("module",))
WAIT_SECONDS = Histogram(
    PART,
    "cache_wait_seconds",
    "How long reads waited for a load that somebody else ran: in this process, or in another.",
    ("module", "where"),
)
EVICTIONS = Counter(
    PART,
    "cache_evictions",
    "Entries that left this process before they were deleted: expired, or for want of entries or bytes.",
    ("module", "reason"),
)
ERRORS = Counter(
    PART,
    "cache_errors",
    "What the cache's store did not carry out; decode: what it held was of another type.",
    ("module", "command"),
)
LOCAL_BYTES = Gauge(PART, "cache_local_bytes", "Bytes of keys and values that the cache keeps in processes.")

METRICS: tuple[Metric, ...] = (
    READS,
    LOADS,
    LOAD_SECONDS,
    WAIT_SECONDS,
    EVICTIONS,
    ERRORS,
    LOCAL_BYTES,
)
