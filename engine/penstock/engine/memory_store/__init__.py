"""The store in memory: the executable specification of `penstock.engine.store.Store`.

Made for tests, ours and yours: it holds one process's jobs on any clock. Each file is one idea;
`submitting`, `leasing`, `claiming`, `settling` and `moving` hold the decisions, one plain function for
each script of the Redis store.
"""

from penstock.engine.memory_store.store import MemoryStore

__all__ = ["MemoryStore"]
