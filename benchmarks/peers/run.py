"""Penstock and its peers take turns, on servers of their own: the same no-op, payload and concurrency."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import trio

from benchmarks.contestants import child
from benchmarks.environments import cache, make_environment
from benchmarks.frame.bench import Bench
from benchmarks.frame.player import PlayerFailed
from benchmarks.frame.race import Contestant, race, racers
from benchmarks.frame.server import Fsync
from benchmarks.peers.peer import PEERS, Peer
from benchmarks.sink import sink
from benchmarks.telemetry_variants import ALL, OFF

AT_ONCE = 32
UNITS = {"drained": "jobs/s", "submitted": "jobs/s", "one submission": "µs"}
PENSTOCK, PENSTOCK_ALL = "Penstock, telemetry off", "Penstock, traced, measured, logged"
_CHILD = str(Path(__file__).with_name("child.py"))


async def run(bench: Bench, fsync: bool, only: Sequence[str]) -> None:
    """Turns of half a second; a peer that cannot take part is named, with its reason."""
    mode: Fsync = "always" if fsync else "none"
    peers = [peer for peer in PEERS if chosen(peer, only)]
    with sink() as endpoint:
        field = ours(endpoint) | await contestants(bench, peers)
        able = await _able(bench, field, mode)
        async with racers(able, fsync=mode, port=True) as started:
            await race(bench, started, UNITS, seconds=0.3 if bench.quick else 0.5, most=20_000)
    bench.notes += [
        f"one worker process each, {AT_ONCE} jobs at once (rq: one; dramatiq: 8 threads), TCP on loopback",
        "peers: from the first handler's end to the last; Penstock: from start to the last acknowledged end",
        f"every server {'syncs every write' if fsync else 'is without an append-only file'}",
    ]


def chosen(peer: Peer, only: Sequence[str]) -> bool:
    """Whether a peer's name has one of these words, in any case of letters, or there are none."""
    return not only or any(word.lower() in peer.name.lower() for word in only)


def ours(endpoint: str) -> dict[str, Contestant]:
    """Penstock, watched and not."""
    module = "benchmarks.peers.penstock_child"
    return {
        PENSTOCK: child(module, OFF, endpoint, at_once=AT_ONCE),
        PENSTOCK_ALL: child(module, ALL, endpoint, at_once=AT_ONCE),
    }


async def contestants(bench: Bench, peers: Sequence[Peer]) -> dict[str, Contestant]:
    """Those whose environments can be made, which happens once; the others are named in the notes."""
    found: dict[str, Contestant] = {}
    with bench.steps(len(peers), "environments:") as steps:
        for peer in peers:
            folder = cache() / (peer.packages[0].replace("==", "-").replace("[redis]", "") + "-fast")
            try:
                await make_environment(folder, peer.packages)
            except subprocess.CalledProcessError as error:
                words = (error.stderr or b"").decode(errors="replace").strip().splitlines()[-1:]
                bench.notes.append(f"{peer.name} cannot be installed: {' '.join(words)}")
            else:
                command = (str(folder / "bin" / "python"), _CHILD, "{redis}", peer.app)
                found[peer.name] = Contestant(command=command, order={"at_once": AT_ONCE})
            bench.versions[peer.name] = " ".join(peer.packages)
            steps.done(peer.name)
    return found


async def _able(bench: Bench, field: Mapping[str, Contestant], fsync: Fsync) -> dict[str, Contestant]:
    """Those who can run a few jobs; the others are named in the notes."""
    able: dict[str, Contestant] = {}
    with bench.steps(len(field), "first turns:") as steps:
        for name, one in field.items():
            try:
                async with racers({name: one}, fsync=fsync, port=True) as started:
                    with trio.fail_after(60):
                        await started[name].take()
                able[name] = one
            except* (PlayerFailed, trio.TooSlowError) as group:
                words = str(group.exceptions[0]).strip().splitlines()[-1:]
                bench.notes.append(f"{name} cannot take part: {' '.join(words)}")
            steps.done(name)
    return able
