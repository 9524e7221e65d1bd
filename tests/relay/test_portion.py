"""How many endings a relay asks for at once follows what it was given."""

from penstock.engine.outbox import Entry
from penstock.engine.relay.portion import FIRST, MUCH, Portion

MOST = 1_000


def entries(count: int, size: int = 300) -> list[Entry]:
    """So many endings with records of so many bytes."""
    return [Entry(f"{number}-0", f"{number:x}", 0, bytes(size)) for number in range(count)]


def test_small_endings_come_by_the_thousand_while_there_are_enough() -> None:
    """The first batch is a cautious one; full ones double it, to the bound."""
    portion = Portion(MOST)
    asked = []
    for _ in range(4):
        asked.append(portion.count)
        portion.note(entries(portion.count))
    assert asked == [FIRST, 2 * FIRST, 4 * FIRST, MOST]


def test_a_batch_that_is_not_full_changes_nothing() -> None:
    """There is no backlog to be quicker with."""
    portion = Portion(MOST)
    portion.note(entries(FIRST - 1))
    assert portion.count == FIRST


def test_large_endings_come_in_batches_of_a_bounded_size() -> None:
    """Halved while a batch is too large; a single one, however large, is still asked for."""
    portion = Portion(MOST)
    for _ in range(20):
        portion.note(entries(portion.count, MUCH // 10))
    assert portion.count * (MUCH // 10) <= 2 * MUCH
    for _ in range(20):
        portion.note(entries(1, MUCH + 1))
    assert portion.count == 1


def test_nobody_is_asked_for_more_than_is_allowed() -> None:
    """A bound below the cautious beginning is kept from the beginning."""
    portion = Portion(3)
    portion.note(entries(3))
    assert portion.count == 3
