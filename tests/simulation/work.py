"""The jobs of the simulated world: quick, slow, failing, stubborn, deadly."""

from collections.abc import Callable

import trio

from penstock.engine import Backoff, JobContext, Module, Retry

QUEUE = "world"


def make_modules(kill: Callable[[str], None]) -> tuple[Module, Module]:
    """The modules that every worker knows, and the newer ones that some do; `kill` takes a worker's name."""
    old, new = Module("old"), Module("new")
    _declare_failing(old)
    _declare_unruly(old, kill)

    @new.job(queue=QUEUE)
    async def newer(ctx: JobContext, number: int, seconds: float, failures: int) -> None:
        """Unknown to some workers, who park it."""
        await trio.sleep(seconds)

    return old, new


def _declare_failing(module: Module) -> None:
    @module.job(queue=QUEUE, retries=2, timeout=60, backoff=Backoff(base=1, cap=5, jitter=False))
    async def work(ctx: JobContext, number: int, seconds: float, failures: int) -> int:
        """Takes its time, fails at first."""
        await trio.sleep(seconds)
        if ctx.attempt <= failures:
            raise ValueError("not yet")
        return number

    @module.job(queue=QUEUE, retries=1, timeout=10)
    async def slow(ctx: JobContext, number: int, seconds: float, failures: int) -> None:
        """Runs into its timeout if it is slow, and asks for another attempt if it fails."""
        await trio.sleep(seconds)
        if ctx.attempt <= failures:
            raise Retry(delay=seconds / 4)


def _declare_unruly(module: Module, kill: Callable[[str], None]) -> None:
    @module.job(queue=QUEUE, timeout=60)
    async def stubborn(ctx: JobContext, number: int, seconds: float, failures: int) -> None:
        """Will not be cancelled."""
        with trio.CancelScope(shield=True):
            await trio.sleep(min(seconds, 4.0))

    @module.job(queue=QUEUE)
    async def deadly(ctx: JobContext, number: int, seconds: float, failures: int) -> None:
        """Takes its worker with it if it fails more than once."""
        await trio.sleep(seconds / 4)
        if failures > 1:
            kill(ctx.worker)
            await trio.sleep_forever()
