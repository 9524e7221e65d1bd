"""Results that are dear to come by, kept for a while: in Redis for all processes, in this one for a moment.

`Cache` is what modules use. It stands on a `CacheStore`: `RedisCacheStore` for work, `MemoryCacheStore` for
tests without a server. `METRICS` are what it counts.
"""

from penstock.engine.cache.cache import Cache
from penstock.engine.cache.memory_store import MemoryCacheStore
from penstock.engine.cache.metrics import METRICS
from penstock.engine.cache.redis_store import RedisCacheStore
from penstock.engine.cache.settings import CacheSettings
from penstock.engine.cache.store import CacheStore

__all__ = ["METRICS", "Cache", "CacheSettings", "CacheStore", "MemoryCacheStore", "RedisCacheStore"]
