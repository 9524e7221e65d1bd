"""What a newcomer reads first."""

import re
from typing import get_args

import pytest

from penstock.deploy.cli import cli
from penstock.deploy.settings import DEFAULT_BIND, LogFormat, Settings
from penstock.engine import WorkerSettings
from penstock.http import server
from penstock.telemetry.logs import setup as logs
from support.processes import Start

COMMANDS = sorted(cli.commands)


def test_every_command_has_examples_and_variables(start: Start) -> None:
    """Help comes with examples to copy; each option but --help names its environment variable."""
    for command in COMMANDS:
        process = start(command, "--help", COLUMNS="200")
        assert process.wait() == 0, str(process)
        text = "\n".join(process.out)
        assert f"penstock {command} " in text.partition("Examples:")[2]
        assert "PENSTOCK_" in text


def test_overview(start: Start) -> None:
    """The overview lists the commands and where to begin."""
    process = start("--help")

    assert process.wait() == 0
    text = "\n".join(process.out)
    assert "penstock dev examples.codeindex:index" in text
    assert all(re.search(rf"^  {command} ", text, re.MULTILINE) for command in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_variables_follow_the_options(name: str) -> None:
    """`--log-level` is PENSTOCK_LOG_LEVEL, and so on, for each setting of each command."""
    # What belongs to one submission or question is not a setting.
    once = {"help", "job", "arguments", "queue", "priority", "delay", "idempotency_key", "wait"}
    once |= {"durable", "wait_replicas", "limit", "as_json"}
    once |= {"name", "scopes", "user", "max_priority", "days"}
    once |= {"tenant", "state", "since", "until", "error", "trace_id", "forget", "retry", "discard", "action"}
    for parameter in cli.commands[name].params:
        if parameter.name not in once:
            assert parameter.envvar == f"PENSTOCK_{str(parameter.name).upper()}"


def test_version(start: Start) -> None:
    """--version names the version."""
    process = start("--version")

    assert process.wait() == 0
    assert process.out == ["penstock, version 0.1.0"]


def test_defaults_agree_with_the_parts() -> None:
    """What the settings repeat of other parts, to be quick, is what those say."""
    assert DEFAULT_BIND == server.DEFAULT_BIND
    assert set(get_args(LogFormat)) == set(get_args(logs.LogFormat))
    for name in ("concurrency", "lease", "grace"):
        assert getattr(Settings(), name) == getattr(WorkerSettings(), name)
