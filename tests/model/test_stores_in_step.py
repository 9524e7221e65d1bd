"""The specification and the scripts, driven in step by Hypothesis over every operation, time included.

100 examples that are the same every day; `HYPOTHESIS_PROFILE=nightly` draws 2,000 others by chance.
"""

from hypothesis.stateful import run_state_machine_as_test

from model.drawing import PROFILE
from model.machine import StoresInStep
from support.redis_server import valkey_server


def test_both_stores_answer_and_hold_the_same_whatever_is_asked() -> None:
    """Answers, refusals, wake-ups, endings, records, lines, leases: all equal after every step."""
    with valkey_server() as server:
        StoresInStep.url = server.url
        run_state_machine_as_test(StoresInStep, settings=PROFILE)
