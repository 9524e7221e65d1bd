"""One of several worker processes: `python -m penstock.deploy.child`, started by the supervisor alone.

It takes its orders from the lifeline. Signals reach it too, from a terminal or a service manager that means
the whole group; each of them is a request to drain, however often it comes, because only the
supervisor can tell a second signal from a second copy of the first.
"""

import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, NoReturn

import msgspec
import structlog
import trio

from penstock.deploy.application import load_application
from penstock.deploy.explanation import explain
from penstock.deploy.lifeline import (
    Birth,
    Lifeline,
    Report,
    adopt_standard_input,
    complain,
    receive_birth,
)
from penstock.deploy.shutdown import AFTER_GRACE, StoppedAtOnce
from penstock.engine.registry import Registry
from penstock.engine.worker import Worker

if TYPE_CHECKING:
    from penstock.deploy.composition import Parts

_SLICE = 0.0005  # seconds of packing before others may run
_LAST_REPORT_WITHIN = 1.0  # seconds


def main() -> NoReturn:
    """Work as the supervisor says; the exit codes are those of the command line."""
    end = adopt_standard_input()
    try:
        birth = receive_birth(end)
    except EOFError:
        sys.exit(1)
    end_with_supervisor(end, birth.settings.grace + AFTER_GRACE)
    structlog.contextvars.bind_contextvars(process=birth.index)  # on every line this process logs
    try:
        registry = load_application(birth.settings.app, birth.settings.modules or ())
        trio.run(_run, birth, registry, end.dup())
    except (Exception, BaseExceptionGroup) as error:
        if birth.debug:
            traceback.print_exc()
        failed = explain(error)
        if not complain(end, failed.message):
            print(f"penstock: {failed.message}", file=sys.stderr)  # noqa: T201 - nobody else says it
        sys.exit(failed.exit_code)
    sys.exit(0)


def end_with_supervisor(end: socket.socket, patience: float) -> None:
    """Kill this process `patience` seconds after the other end has closed, if it is still there.

    The loop hears of that end itself and drains. A handler that never yields would keep it from hearing;
    this thread needs nobody's leave.
    """

    def wait() -> None:
        ended = select.poll()
        ended.register(end, 0)  # no event but the one that cannot be masked: POLLHUP
        ended.poll()
        time.sleep(patience)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="penstock-lifeline", daemon=True).start()


async def _run(birth: Birth, registry: Registry, end: socket.socket) -> None:
    from penstock.deploy.composition import compose

    async with (
        compose(birth.settings, registry, role="worker") as parts,
        parts.open_bus() as bus,
        trio.open_nursery() as nursery,
    ):
        worker, lifeline = parts.worker(bus), Lifeline(end)
        await nursery.start(_drain_on_signals, worker)
        nursery.start_soon(_obey, lifeline, parts, worker)
        nursery.start_soon(parts.permissions.run)
        nursery.start_soon(parts.watch_loop)
        nursery.start_soon(bus.run)
        await worker.run()
        with trio.move_on_after(_LAST_REPORT_WITHIN):
            await lifeline.send(await _report(parts, worker))  # an orderly end loses no count
        nursery.cancel_scope.cancel()


async def _drain_on_signals(
    worker: Worker, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            worker.drain()


async def _obey(lifeline: Lifeline, parts: "Parts", worker: Worker) -> None:
    """Do as the supervisor says until it has ended, and then drain."""
    while (message := await lifeline.receive()) is not None:
        match msgspec.msgpack.decode(message):
            case "report":
                await lifeline.send(await _report(parts, worker))
            case "drain":
                worker.drain()
            case _:
                raise StoppedAtOnce("stopped at once, as the supervisor was")
    parts.telemetry.logs.logger("penstock").warning("the supervisor has ended, draining")
    worker.drain()


async def _report(parts: "Parts", worker: Worker) -> Report:
    from penstock.telemetry.metrics.snapshot import process_pieces

    packed: list[msgspec.Raw] = []
    began = time.perf_counter()
    for piece in process_pieces(parts.telemetry.metrics):
        packed.append(msgspec.Raw(msgspec.msgpack.encode(piece)))
        if time.perf_counter() - began > _SLICE:
            await trio.lowlevel.checkpoint()
            began = time.perf_counter()
    ready = worker.ready and not parts.permissions.refused and not await worker.ailments()
    return Report(ready, packed)


if __name__ == "__main__":
    main()
