"""One chaos run: everything is started, tormented for a while, left in peace, and questioned."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import trio

from benchmarks.chaos.append_only import read as read_append_only
from benchmarks.chaos.calm import DRAIN_WITHIN, Final, drained, left_over
from benchmarks.chaos.certainty import certain
from benchmarks.chaos.jobs import MAX_CRASHES
from benchmarks.chaos.misfortune import misfortune
from benchmarks.chaos.plan import SUBMITTERS, WORKERS, plan
from benchmarks.chaos.proxy import Proxy
from benchmarks.chaos.server import Server
from benchmarks.chaos.slot import Slot
from benchmarks.chaos.torment import Torment
from benchmarks.chaos.verdict import Asked, Verdict, lost, read_history, recoveries, takeovers
from benchmarks.history import Recorder, check, read, recording

HARNESS = "harness"


class Stage:
    """Server, proxy and processes of one run, and what befalls them."""

    def __init__(self, folder: Path, seed: int, seconds: float, recorder: Recorder) -> None:
        self.folder = folder
        self.seed = seed
        self.seconds = seconds
        self.recorder = recorder
        self.complaints: list[str] = []
        self._offset = time.monotonic_ns() - time.time_ns()
        self.server = Server(folder / "data")
        self.proxy = Proxy(folder, self.server.socket, partial(misfortune, seed))
        self.workers = [Slot(name, self._worker, recorder, folder) for name in WORKERS]
        self.submitters = [Slot(name, self._submitter, recorder, folder) for name in SUBMITTERS]
        slots = {slot.name: slot for slot in (*self.workers, *self.submitters)}
        self.torment = Torment(plan(seed, seconds), slots, self.server, self.proxy)

    @property
    def history(self) -> list[Path]:
        return sorted((self.folder / "history").glob("*.jsonl"))

    async def play(self, nursery: trio.Nursery) -> None:
        """Start everything, torment it, leave it in peace and let it drain; the server stays."""
        await nursery.start(self.server.run)
        for slot in (*self.workers, *self.submitters):
            await nursery.start(self.proxy.serve, slot.name)
            nursery.start_soon(slot.run)
        with trio.move_on_after(self.seconds):
            await self.torment.run()
            await trio.sleep_forever()
        self.proxy.calm_down()
        await _retire(self.submitters)
        if not await drained(self.server.url, len(self.workers)):
            self.complaints.append(f"not everything had ended {DRAIN_WITHIN:.0f} s after the last fault")
        await _retire(self.workers)

    async def question(self) -> tuple[Asked, Final]:
        """Read what has become of every job."""
        asked, final = read_history(read(self.history)), Final()
        await final.read(self.server.url, sorted(asked.sent), asked.cancels, self.recorder)
        self.complaints += [f"the key {key} is left over" for key in await left_over(self.server.url)]
        return asked, final

    def judge(self, asked: Asked, final: Final) -> Verdict:
        """Compare the witnesses; the server has ended."""
        testimony = read_append_only(self.server.folder)
        slots = (*self.workers, *self.submitters)
        complaints = [*self.complaints, *(line for slot in slots for line in slot.complaints)]
        complaints += [line for slot in self.workers for line in defects(slot.log)]
        history = certain(read(self.history), testimony, self._offset)
        violations = [*map(str, check(history)), *testimony.violations, *final.wrong]
        return Verdict(
            seed=self.seed,
            seconds=self.seconds,
            folder=self.folder,
            submitted=len(asked.sent),
            acknowledged=len(asked.acknowledged),
            ended=final.ended,
            lost=lost(final, asked, testimony),
            twice=sorted(job for job, life in testimony.lives.items() if life.endings > 1),
            violations=[*violations, *complaints],
            redelivered=testimony.redelivered,
            refused=asked.refused,
            buried=sum(life.header.crashes >= MAX_CRASHES for life in testimony.lives.values()),
            faults=self.torment.tally + Counter(poison=self._poisoned()),
            mishaps=self.proxy.tally,
            recoveries=recoveries(self.torment.done, testimony.ended),
            takeovers=takeovers([death for slot in self.workers for death in slot.deaths], testimony),
        )

    def _poisoned(self) -> int:
        """Workers that were killed by a job, not by the plan."""
        return sum(len(slot.deaths) for slot in self.workers) - self.torment.tally["worker kill"]

    def _worker(self, life: str, _number: int) -> list[str]:
        url = self.proxy.url(life.partition(".")[0])
        return ["-m", "benchmarks.chaos.worker", life, url, str(self.folder / "history")]

    def _submitter(self, life: str, number: int) -> list[str]:
        name = life.partition(".")[0]
        words = [name, str(number), str(self.seed), self.proxy.url(name), str(self.folder / "history")]
        return ["-m", "benchmarks.chaos.submitter", *words]


async def run(seed: int, seconds: float, show: Callable[[Stage], Awaitable[None]], keep: bool) -> Verdict:
    """Run once and judge; `show` tells how it goes meanwhile.

    The folder of the run stays where something was wrong, or with `keep`.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    (folder / "history").mkdir()
    (folder / "plan.json").write_bytes(msgspec.json.format(msgspec.json.encode(plan(seed, seconds))))
    with recording(HARNESS, folder / "history" / f"{HARNESS}.jsonl") as recorder:
        stage = Stage(folder, seed, seconds, recorder)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(show, stage)
            await stage.play(nursery)
            asked, final = await stage.question()
            nursery.cancel_scope.cancel()
    verdict = stage.judge(asked, final)
    if verdict.fine and not keep:
        shutil.rmtree(folder)
    return verdict


def defects(log: Path) -> list[str]:
    """What a worker says that it should never have to: a loop or an observer of its own has failed."""
    told = ("LoopCrashed(", "ObserverFailed(", "Traceback (most recent call last)")
    lines = log.read_text(errors="replace").splitlines()
    return [f"{log.stem} says: {line}" for line in lines if any(word in line for word in told)]


async def _retire(slots: list[Slot]) -> None:
    async with trio.open_nursery() as nursery:
        for slot in slots:
            nursery.start_soon(slot.retire)
