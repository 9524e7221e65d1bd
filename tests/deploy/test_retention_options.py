"""How long the history keeps jobs is an option of the relay, in days."""

import pytest

from penstock.deploy.cli import cli
from penstock.deploy.settings import Settings, settings_of
from penstock.deploy.sinks import retention_of
from penstock.engine.job import JobState
from penstock.engine.job_history import Retention

DAY = 24 * 3600.0


def test_the_defaults_are_those_of_the_history() -> None:
    """Said twice, so that the command line need not import it."""
    assert retention_of(Settings()) == Retention()


@pytest.mark.parametrize("state", ["succeeded", "dead", "cancelled", "expired"])
def test_each_state_has_an_option_and_a_variable(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--keep-dead 0.5` is half a day of dead jobs, and so is PENSTOCK_KEEP_DEAD."""
    relay = cli.commands["relay"]
    given = relay.make_context("relay", ["app", f"--keep-{state}", "0.5"]).params
    kept = retention_of(settings_of({f"keep_{state}": given[f"keep_{state}"]}))
    assert kept.spans()[JobState(state)] == DAY / 2
    monkeypatch.setenv(f"PENSTOCK_KEEP_{state.upper()}", "0")
    assert relay.make_context("relay", ["app"]).params[f"keep_{state}"] == 0
