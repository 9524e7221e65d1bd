"""What a file of the hot path is for, in the words of the report."""

CLAIM = "claiming and settling"
RUN = "running the job"
REDIS = "talking to Redis"
RECORDS = "records and replies"
FACTS = "facts and seams"
SPANS, LINES, METRICS, LEDGER = "spans", "lines", "metrics", "telemetry's ledger"
TRIO = "Trio"
HANDLER = "the handler, and the benchmark"
THREADS = "threads that export"

PURPOSES = (HANDLER, RUN, CLAIM, RECORDS, REDIS, TRIO, FACTS, LEDGER, SPANS, LINES, METRICS, THREADS)
"""In the order of the bars."""

_PLACES = (
    ("/penstock/engine/transport/", REDIS),
    *(
        (f"/penstock/engine/{name}.py", RECORDS)
        for name in ("redis_store", "record", "intake", "store", "keys")
    ),
    *((f"/penstock/engine/{name}.py", FACTS) for name in ("seams", "events", "operation")),
    *(
        (f"/penstock/engine/{name}.py", CLAIM)
        for name in ("fetcher", "claimer", "buffer", "shift", "settler", "heartbeat", "held", "supervision")
    ),
    ("/penstock/engine/", RUN),
    ("/penstock/telemetry/traces/", SPANS),
    ("/penstock/telemetry/export/", SPANS),
    ("/penstock/telemetry/logs/", LINES),
    ("/penstock/telemetry/metrics/", METRICS),
    ("/penstock/telemetry/", LEDGER),
    ("/site-packages/trio/", TRIO),
    ("/site-packages/outcome/", TRIO),
    ("/site-packages/anyio/", REDIS),
    ("/site-packages/structlog/", LINES),
    ("/site-packages/aioprometheus/", METRICS),
    ("/site-packages/opentelemetry/", SPANS),
    ("/benchmarks/", HANDLER),
)


def purpose_of(file: str) -> str | None:
    """None for what has none of its own: it does what its caller wants."""
    return next((purpose for place, purpose in _PLACES if place in file), None)
