"""Every key in Redis, one function each. Lua builds the same names in scripts/prologue.lua.

The queue stands in braces, a Cluster hash tag: all keys of a queue live in one slot.
ARCHITECTURE.md tells which fact lives in which key and who deletes it.
"""

QUEUES = "penstock:queues"


def root(queue: str) -> str:
    """The prefix of a queue's keys, given to every script as KEYS[1]."""
    return f"penstock:{{{queue}}}:"


def job(queue: str, suffix: str) -> str:
    """String: the record of one job."""
    return f"{root(queue)}job:{suffix}"


def running(queue: str, worker: str) -> str:
    """Hash: the jobs that one worker holds, each with its token, the number of its claim, and since when."""
    return f"{root(queue)}running:{worker}"


def events(queue: str) -> str:
    """Stream: endings, appended by the script that makes them."""
    return f"{root(queue)}events"


def counts(queue: str) -> str:
    """Hash: a queue's few numbers."""
    return f"{root(queue)}counts"


def failures(queue: str) -> str:
    """Hash: how often each failure came, by its fingerprint."""
    return f"{root(queue)}failures"


def wake(queue: str, worker: str) -> str:
    """Sharded channel: word for one worker."""
    return f"{root(queue)}wake:{worker}"
