"""The systems under test: how each is installed, started and given jobs."""

from pathlib import Path

import msgspec

LEASE = 5
"""Seconds until a silent owner's job may be taken, where a system has such a setting."""
CONCURRENCY = 4
REDIS = "{redis}"
"""Stands in a command line for the server's URL."""
_PEERS = "benchmarks.reliability.peers"


class System(msgspec.Struct, frozen=True, kw_only=True):
    """One system; `worker` is its own command line, whose first word is found in its environment."""

    name: str
    app: str
    runner: str = "asyncio"
    packages: tuple[str, ...] = ()
    """Exact versions, installed by pip; none for Penstock, which runs from the checkout."""
    worker: tuple[str, ...]
    environment: dict[str, str] = {}

    @property
    def folder(self) -> str:
        """What its environment is called."""
        return self.packages[0].replace("==", "-").replace("[redis]", "")


PENSTOCK = System(
    name="Penstock",
    app="benchmarks.reliability.penstock_app",
    runner="trio",
    worker=(
        *("penstock", "worker", "benchmarks.reliability.penstock_app:reliability"),
        *("--redis", REDIS, "--lease", str(LEASE), "--concurrency", str(CONCURRENCY)),
    ),
)
_SAQ = ("saq[redis]==0.26.4", "typing_extensions")  # which it imports, and does not ask for on Python 3.11
_SAQ_WORKER = ("saq", f"{_PEERS}.saq_app.settings")
PEERS = (
    System(
        name="streaQ 7.2.0",
        app=f"{_PEERS}.streaq_app",
        packages=("streaq==7.2.0",),
        worker=("streaq", "run", f"{_PEERS}.streaq_app:worker"),
    ),
    System(
        name="SAQ 0.26.4, defaults",
        app=f"{_PEERS}.saq_app",
        packages=_SAQ,
        worker=_SAQ_WORKER,
    ),
    System(
        name="SAQ 0.26.4, tuned",
        app=f"{_PEERS}.saq_app",
        packages=_SAQ,
        worker=_SAQ_WORKER,
        environment={"RELIABILITY_TUNED": "1"},
    ),
    System(
        name="taskiq 0.13.0, taskiq-redis 1.2.4",
        app=f"{_PEERS}.taskiq_app",
        packages=("taskiq==0.13.0", "taskiq-redis==1.2.4"),
        worker=(
            *("taskiq", "worker", f"{_PEERS}.taskiq_app:broker", "--workers", "1"),
            *("--max-async-tasks", str(CONCURRENCY), "--max-prefetch", str(CONCURRENCY)),
        ),
    ),
    System(
        name="docket 0.27.0",
        app=f"{_PEERS}.docket_app",
        packages=("pydocket==0.27.0",),
        worker=(
            *("docket", "worker", "--docket", "reliability", "--url", REDIS),
            *("--tasks", f"{_PEERS}.docket_app:tasks"),
            *("--redelivery-timeout", f"{LEASE}s", "--concurrency", str(CONCURRENCY)),
        ),
    ),
)


def program(environment: Path, name: str) -> str:
    """A program in an environment's `bin`."""
    return str(environment / "bin" / name)
