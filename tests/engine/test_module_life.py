"""Modules begin and end with the worker, each after those that it needs, and hand things to jobs."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import contextmanager

import msgspec
import pytest
import trio
from trio.testing import MockClock

from penstock.engine import PROVIDED, JobContext, Module, Observers, Registry, Seams, Worker
from penstock.engine.errors import ConfigurationError, InvalidArguments, ModuleFailed
from penstock.engine.memory_store import MemoryStore
from penstock.engine.operation import Operation
from support.work import virtual_clock, working

QUEUE = "default"


class Database:
    def __init__(self, name: str) -> None:
        self.name = name


class Bucket:
    def __init__(self, database: Database) -> None:
        self.database = database


class Settings(msgspec.Struct):
    name: str = "main"


class PerModule:
    def __init__(self, module: str = "") -> None:
        self.module = module

    def for_module(self, name: str) -> "PerModule":
        return PerModule(name)


def worker_of(*modules: Module, **more: object) -> Worker:
    return Worker(MemoryStore(virtual_clock), Registry(modules), [QUEUE], **more)  # type: ignore[arg-type]


def two_modules(said: list[str]) -> tuple[Module, Module]:
    """`images` needs what `storage` provides; declared the wrong way round."""
    images, storage = Module("images"), Module("storage", settings=Settings)

    @images.lifespan
    async def bucket(database: Database) -> AsyncIterator[Bucket]:
        said.append("images starts")
        yield Bucket(database)
        said.append("images stops")

    @storage.lifespan
    async def database(settings: Settings) -> AsyncIterator[Database]:
        said.append("storage starts")
        async with trio.open_nursery():
            yield Database(settings.name)
        said.append("storage stops")

    return images, storage


async def test_modules_start_after_those_that_they_need_and_stop_before_them(
    autojump_clock: MockClock,
) -> None:
    """In whatever order they are declared; what they yield is found by its type, settings among it."""
    said = list[str]()
    images, storage = two_modules(said)

    @images.job(queue=QUEUE)
    async def work(ctx: JobContext, path: str, bucket: Bucket = PROVIDED, width: int = 1) -> str:
        return f"{path} {width} {bucket.database.name}"

    async with working(images) as rig:
        worker = await rig.start_worker(images, storage)
        assert said == ["storage starts", "images starts"]
        receipt = await rig.client.submit(work, "a.png", width=7)
        job = await rig.client.wait(receipt.id, 10)
        assert job is not None
        assert job.result == "a.png 7 main"
        worker.drain()
        await trio.testing.wait_all_tasks_blocked()

    assert said[2:] == ["images stops", "storage stops"]


async def test_what_is_provided_is_no_argument(autojump_clock: MockClock) -> None:
    """Nobody can send it, and it is not described."""
    module = Module("m")

    @module.job
    async def work(ctx: JobContext, path: str, bucket: Bucket = PROVIDED) -> None: ...

    assert work.signature.describe() == ["path: str"]
    with pytest.raises(InvalidArguments):
        work.request("a.png", bucket=Bucket(Database("mine")))


async def test_each_module_gets_its_own_where_there_is_one_for_each(autojump_clock: MockClock) -> None:
    """As of the cache, whose metrics carry the module."""
    module, seen = Module("m"), list[str]()

    @module.job(queue=QUEUE)
    async def work(ctx: JobContext, mine: PerModule = PROVIDED) -> None:
        seen.append(mine.module)

    async with working(module) as rig, trio.open_nursery() as nursery:
        worker = Worker(
            rig.store, Registry([module]), seams=Seams(Observers(rig.ears)), provided={PerModule: PerModule()}
        )
        await nursery.start(worker.run)
        receipt = await rig.client.submit(work)
        await rig.client.wait(receipt.id, 10)
        worker.drain()

    assert seen == ["m"]


@pytest.mark.parametrize("what", ["start", "stop"])
async def test_a_module_that_fails_ends_the_worker_with_its_name(
    autojump_clock: MockClock, what: str
) -> None:
    """And those that had started are stopped."""
    said = list[str]()
    images, storage = two_modules(said)

    @images.lifespan
    async def broken(bucket: Bucket) -> AsyncIterator[None]:
        if what == "start":
            raise KeyError("IMAGES_URL")
        yield
        raise KeyError("IMAGES_URL")

    worker = worker_of(images, storage)
    worker.drain()
    with pytest.raises(ModuleFailed, match=f"module images failed to {what}: KeyError: 'IMAGES_URL'"):
        await worker.run()

    assert said[2:] == ["images stops", "storage stops"]


@pytest.mark.parametrize(("what", "seconds"), [("start", 30), ("stop", 10)])
async def test_a_module_that_hangs_is_not_waited_for_without_end(
    autojump_clock: MockClock, what: str, seconds: int
) -> None:
    """Its name is told."""
    module = Module("images")

    @module.lifespan
    async def hanging() -> AsyncIterator[None]:
        if what == "start":
            await trio.sleep_forever()
        yield
        await trio.sleep_forever()

    worker = worker_of(module)
    worker.drain()
    with pytest.raises(ModuleFailed, match=f"module images did not {what} within {seconds} s"):
        await worker.run()
    assert trio.current_time() == pytest.approx(seconds, abs=1)


async def test_a_task_of_a_module_that_fails_ends_the_worker(autojump_clock: MockClock) -> None:
    """A nursery that a lifespan keeps open cancels what runs inside it."""
    module, failing = Module("images"), trio.Event()

    async def fail() -> None:
        await failing.wait()
        raise ConnectionError("lost")

    @module.lifespan
    async def background() -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            yield

    worker = worker_of(module)
    failing.set()
    with pytest.raises(ModuleFailed, match="module images failed: ConnectionError: lost"):
        await worker.run()


async def test_each_start_and_stop_is_an_operation(autojump_clock: MockClock) -> None:
    """Which telemetry makes spans of."""
    said, told = list[str](), list[str]()

    @contextmanager
    def around(operation: Operation) -> Generator[dict[str, str]]:
        told.append(operation.name)
        yield {}

    worker = worker_of(*two_modules(said), seams=Seams(around_operation=around))
    worker.drain()
    await worker.run()

    assert told == ["start storage", "start images", "stop images", "stop storage"]


def test_what_nobody_provides_is_found_before_anything_starts() -> None:
    """By jobs, lifespans and health checks."""
    job, needy, check = Module("j"), Module("l"), Module("h")

    @job.job
    async def work(ctx: JobContext, bucket: Bucket = PROVIDED) -> None: ...

    @needy.lifespan
    async def start(bucket: Bucket) -> AsyncIterator[None]:
        yield

    @check.health
    async def well(bucket: Bucket) -> None: ...

    for module, who in ((job, "job j.work"), (needy, "lifespan start of l"), (check, "health check of h")):
        with pytest.raises(ConfigurationError, match=f"{who} needs Bucket, which nothing provides"):
            worker_of(module)


def test_circles_and_doubles_are_found_too() -> None:
    """With the names of those that are in them."""
    circle, double = Module("c"), Module("d")

    @circle.lifespan
    async def one(bucket: Bucket) -> AsyncIterator[Database]:
        yield bucket.database

    @circle.lifespan
    async def other(database: Database) -> AsyncIterator[Bucket]:
        yield Bucket(database)

    async def again() -> AsyncIterator[Bucket]:
        yield Bucket(Database(""))

    double.lifespan(again)
    double.lifespan(again)

    for module, why in (
        (circle, "these need each other, none can start first: lifespan one of c, lifespan other of c"),
        (double, "Bucket is provided twice"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            worker_of(module)


def test_what_cannot_be_a_lifespan_is_refused_where_it_stands() -> None:
    """With what is expected."""
    module = Module("m")

    async def returns() -> None: ...

    async def untyped(bucket) -> AsyncIterator[None]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        yield

    async def silent():  # type: ignore[no-untyped-def]  # noqa: ANN202
        yield

    for function, why in (
        (returns, "an async def that yields once"),
        (untyped, "parameter bucket has no type"),
        (silent, "say what it yields"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            module.lifespan(function)


async def test_modules_say_themselves_whether_they_are_well(autojump_clock: MockClock) -> None:
    """One that raises, or does not answer in two seconds, is not; all are asked at once."""
    module, worker = Module("images"), None

    @module.health
    async def well() -> None: ...

    @module.health
    async def full() -> str:
        return "the disk is full"

    @module.health
    async def raises() -> None:
        raise KeyError("x")

    @module.health
    async def hangs() -> None:
        await trio.sleep_forever()

    worker = worker_of(module)

    assert await worker.ailments() == [
        "images: the disk is full",
        "images: KeyError: 'x'",
        "images: no answer",
    ]
    assert trio.current_time() == pytest.approx(2)
