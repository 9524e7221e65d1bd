"""Everything that the page shows, kept as JSON: what was measured, what was checked, what follows."""

from pathlib import Path

import msgspec

from benchmarks.planning.costs import Costs
from benchmarks.planning.model.cell import Seen
from benchmarks.planning.sizing import BATCHES, RATES, Ceiling, Plan, ceiling, plan, unevenness, waits
from benchmarks.planning.validate import Row

FILE = Path(__file__).parent / "figures.json"
NODES = (3, 12, 100)
QUEUES_A_NODE = (1, 4, 16, 64)


class Curve(msgspec.Struct, frozen=True):
    """Waits of one queue at each of `sizing.PARTS` of its ceiling."""

    top: Ceiling
    points: list[Seen]


class Uneven(msgspec.Struct, frozen=True):
    """How full the fullest node is, as a multiple of its share."""

    nodes: int
    queues: int
    times: float


class Predictions(msgspec.Struct, frozen=True):
    """What follows from the costs."""

    plans: list[Plan]
    curves: list[Curve]
    uneven: list[Uneven]


class Figures(msgspec.Struct, frozen=True):
    """One state of the page."""

    costs: Costs
    checked: list[Row]
    predictions: Predictions


def predict(costs: Costs) -> Predictions:
    """Simulate all that the page shows; a minute or so."""
    tops = [ceiling(costs, batch, sync=sync) for batch in BATCHES for sync in (False, True)]
    return Predictions(
        plans=[plan(costs, rate, batch) for batch in BATCHES for rate in RATES],
        curves=[Curve(top, waits(costs, top)) for top in tops],
        uneven=[
            Uneven(nodes, nodes * each, round(unevenness(nodes, nodes * each), 2))
            for nodes in NODES
            for each in QUEUES_A_NODE
        ],
    )


def save(figures: Figures, file: Path = FILE) -> None:
    """Keep them for the page."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")


def load(file: Path = FILE) -> Figures:
    """What was kept last; raises `FileNotFoundError` where nothing was ever measured."""
    return msgspec.json.decode(file.read_bytes(), type=Figures)
