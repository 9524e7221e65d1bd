"""Checks a history: sorts it into stories and holds each against the rules."""

from collections.abc import Iterable

from benchmarks.history import ending_rules, holding_rules, order_rules
from benchmarks.history.records import Record
from benchmarks.history.story import Violation
from benchmarks.history.telling import Teller


def check(history: Iterable[Record]) -> list[Violation]:
    """Every rule that is broken, job by job; an empty list is the proof that is wanted.

    `history` is in the order of time, as `read` gives it, and is gone through once. Takes O(n log n) time and
    memory for n records: about a million a minute.
    """
    violations: list[Violation] = []
    for queue in Teller().tell(history).values():
        violations += order_rules.judge(queue)
        for job in queue.jobs.values():
            violations += ending_rules.judge(queue, job)
            violations += holding_rules.judge(queue, job)
    return violations
