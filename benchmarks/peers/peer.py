"""The peers: exact versions, and what each gives up by its design."""

import msgspec

_UVLOOP, _HIREDIS = "uvloop==0.23.0", "hiredis==3.5.0"


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One peer in one configuration."""

    name: str
    app: str
    """Its file in `benchmarks/peers/apps`."""
    packages: tuple[str, ...]
    """Exact versions; the first one names the environment."""
    gives_up: str
    """Compared with leases that are renewed while a job runs, and fenced to its end."""


_TASKIQ = ("taskiq==0.13.0", "taskiq-redis==1.2.4", _UVLOOP, _HIREDIS)
STREAQ = Peer(
    name="streaQ 7.2.0",
    app="streaq_app",
    packages=("streaq==7.2.0", _UVLOOP, _HIREDIS),
    gives_up="leases are renewed, but a stale owner may still finish; its worker ends when Redis goes away",
)
SAQ = Peer(
    name="SAQ 0.26.4",
    app="saq_app",
    packages=("saq[redis]==0.26.4", "typing_extensions==4.16.0", _UVLOOP, _HIREDIS),
    gives_up="no leases: a sweep finds the dead worker's jobs, and by default does not run them again",
)
ARQ = Peer(
    name="arq 0.28.0",
    app="arq_app",
    packages=("arq==0.28.0", _UVLOOP, _HIREDIS),
    gives_up="a job of a dead worker waits for its longest run time (310 s); no fencing; polls",
)
TASKIQ = Peer(
    name="taskiq 0.13.0, streams",
    app="taskiq_stream_app",
    packages=_TASKIQ,
    gives_up="no renewal: a job longer than the idle time is started again; no fencing; streams only grow",
)
PEERS = (
    STREAQ,
    SAQ,
    ARQ,
    TASKIQ,
    Peer(
        name="taskiq 0.13.0, lists",
        app="taskiq_list_app",
        packages=_TASKIQ,
        gives_up="at most once: what a worker has taken is lost with it",
    ),
    Peer(
        name="docket 0.27.0",
        app="docket_app",
        packages=("pydocket==0.27.0", _UVLOOP, _HIREDIS),
        gives_up="leases are renewed, but a stale owner may take them back and finish",
    ),
    Peer(
        name="dramatiq 2.2.1",
        app="dramatiq_app",
        packages=("dramatiq[redis]==2.2.1", _HIREDIS),
        gives_up="heartbeats of workers, looked after now and then; no fencing; no bound on crashes",
    ),
    Peer(
        name="rq 3.0.0",
        app="rq_app",
        packages=("rq==3.0.0", _HIREDIS),
        gives_up="one job at a time; a dead worker's job is declared failed; no fencing",
    ),
    Peer(
        name="celery 5.7.0",
        app="celery_app",
        packages=("celery[redis]==5.7.0", _HIREDIS),
        gives_up="acknowledges before it runs (its default): what a worker has taken is lost with it",
    ),
)
PUBLISHED = (STREAQ, SAQ, ARQ, TASKIQ)
"""With whom streaQ compares itself."""
