"""What Redis keeps of schedules: a hash a queue. See `penstock.engine.periodic_store`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from penstock.engine import keys
from penstock.engine.durable import DurableLine
from penstock.engine.errors import ENDINGS, QueueFull
from penstock.engine.intake import arguments
from penstock.engine.memory_watch import MemoryWatch
from penstock.engine.periodic_store import Attendance, Declared, Fired, Firing, Steering, flat, standings
from penstock.engine.store import PLAIN, NewJob, Terms
from penstock.engine.transport import Link, Script


class RedisSchedules:
    """Implements `penstock.engine.periodic_store.Schedules`; each method sends one script."""

    def __init__(
        self,
        redis: Link,
        scripts: Mapping[str, Script],
        watch: MemoryWatch,
        remember: Callable[[str], Awaitable[None]],
    ) -> None:
        """`remember` puts a queue on the list of those that operators see."""
        self._redis = redis
        self._scripts = scripts
        self._watch = watch
        self._remember = remember
        self._durable: dict[str, DurableLine] = {}

    async def _call(self, script: str, queue: str, *args: Any) -> Any:
        # Any: the shape of each reply is written above its script.
        return await self._redis.script(self._scripts[script], (keys.root(queue),), args)

    async def attend(self, queue: str, declared: Sequence[Declared] = (), *, new: bool = False) -> Attendance:
        now, fields = await self._call("attend", queue, int(new), *flat(declared))
        names = (name.decode() for name in fields[::2])
        return Attendance(now, standings(dict(zip(names, fields[1::2], strict=True))))

    async def fire(
        self, queue: str, firing: Firing, job: NewJob | None = None, terms: Terms | None = None
    ) -> Fired:
        args: list[Any] = [firing.name, firing.moment, firing.next, firing.worker]
        if job is None:
            return _fired(await self._call("fire", queue, *args))
        terms = terms if terms is not None else PLAIN
        await self._remember(queue)
        most_endings = await self._watch.check(queue)
        reply = await self._send(queue, [*args, *arguments([job], terms, most_endings)], terms)
        if isinstance(reply, int):
            if reply < 0:
                raise QueueFull(queue, -reply, most_endings, of=ENDINGS)
            raise QueueFull(queue, reply, terms.most)
        return _fired(reply)

    async def _send(self, queue: str, args: list[Any], terms: Terms) -> Any:
        if not (terms.disk or terms.replicas):
            return await self._call("fire", queue, *args)
        if queue not in self._durable:
            self._durable[queue] = DurableLine(self._redis, queue)
        return await self._durable[queue].send(self._scripts["fire"], args, terms)

    async def steer(self, queue: str, name: str, what: Steering) -> bool | None:
        changed: int | None = await self._call("steer", queue, name, what)
        return None if changed is None else changed == 1


def _fired(reply: Any) -> Fired:
    word, now, suffix, created = reply
    return Fired(word.decode(), now, suffix.decode(), created == 1)
