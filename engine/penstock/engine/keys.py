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


def outbox(queue: str) -> str:
    """Stream: endings with their records, kept until every registered sink has them."""
    return f"{root(queue)}outbox"


def counts(queue: str) -> str:
    """Hash: a queue's few numbers."""
    return f"{root(queue)}counts"


def failures(queue: str) -> str:
    """Hash: how often each failure came, by its fingerprint."""
    return f"{root(queue)}failures"


def schedules(queue: str) -> str:
    """Hash: where each schedule stands, by its name."""
    return f"{root(queue)}schedules"


def wake(queue: str, worker: str) -> str:
    """Sharded channel: word for one worker."""
    return f"{root(queue)}wake:{worker}"


def cached(module: str, key: str) -> str:
    """String: one entry of a module's cache."""
    return f"penstock:cache:{{{module}:{key}}}:value"


def cache_lock(module: str, key: str) -> str:
    """String: the token of whoever loads that entry; in the same slot."""
    return f"penstock:cache:{{{module}:{key}}}:lock"


def topic_log(topic: str) -> str:
    """Stream: the events of one topic of the bus. No queue's name has a dot."""
    return f"penstock:{{topic.{topic}}}:log"


def topic_ids(topic: str) -> str:
    """Sorted set: ids of the events that came to it lately, so that none is stored twice."""
    return f"penstock:{{topic.{topic}}}:ids"


def topic_aside(topic: str) -> str:
    """Stream: the last events of it that a handler could not take."""
    return f"penstock:{{topic.{topic}}}:aside"
