"""Secrets among the settings reach telemetry, and nothing else of the environment does."""

from typing import get_args

import msgspec
import pytest
from click.testing import CliRunner

from penstock.deploy import settings as deploy_settings
from penstock.deploy.cli import cli
from penstock.deploy.known_secrets import known_secrets
from penstock.deploy.settings import Settings
from penstock.engine import Module
from penstock.telemetry.logs.schema import LogSchema


def test_the_variables_that_settings_name_and_the_passwords_of_the_url() -> None:
    """Under where each comes from; a variable that is not set is empty, so that somebody is told."""
    settings = Settings(redis="redis://:s3cret%2Fword@host?password=other", secrets=("DB_PASSWORD", "UNSET"))
    environ = {"DB_PASSWORD": "hunter2!", "HOME": "/root"}

    assert known_secrets(settings, environ=environ) == {
        "DB_PASSWORD": "hunter2!",
        "UNSET": "",
        "password 1 of the Redis URL": "s3cret/word",
        "password 2 of the Redis URL": "other",
    }


def test_secrets_of_modules_databases_and_the_bus_are_known() -> None:
    """Modules tell theirs themselves; one whose settings are wrong has none here, and says so later."""

    class Keys(msgspec.Struct):
        key: str

        @property
        def all_secrets(self) -> tuple[str, ...]:
            return (self.key,)

    modules = [Module("a", settings=Keys), Module("b", settings=Keys), Module("c")]
    settings = Settings(
        history_url="postgresql://me:hunter2@db/history",
        outbox_url="postgresql://me:tr0ub4dor@db/shop",
        bus="kafka://me:sw%3Ardfish@one:9092,two:9092",
    )

    assert known_secrets(settings, modules, {"PENSTOCK_MODULE_A_KEY": "s3cret"}) == {
        "password 1 of the history's URL": "hunter2",
        "password 1 of the outbox's URL": "tr0ub4dor",
        "password 1 of the bus's URL": "sw:rdfish",
        "secret 1 of the module a": "s3cret",
    }


def test_nothing_is_secret_by_default() -> None:
    """A plain URL has no password."""
    assert known_secrets(Settings(), environ={"HOME": "/root"}) == {}


def test_the_settings_know_every_schema() -> None:
    """Said twice, so that --help need not import telemetry."""
    assert get_args(deploy_settings.LogSchema) == get_args(LogSchema)


@pytest.mark.parametrize("command", ["worker", "api", "dev"])
def test_names_are_separated_by_commas(command: str) -> None:
    """Of fields and of variables alike, on the command line and in the environment."""
    parameters = {parameter.name: parameter for parameter in cli.commands[command].params}
    context = cli.commands[command].make_context(
        command, ["app:app", "--redact", "pin, iban,", "--secrets", "DB_PASSWORD"], resilient_parsing=True
    )

    assert context.params["redact"] == ("pin", "iban")
    assert context.params["secrets"] == ("DB_PASSWORD",)
    assert parameters["secrets"].envvar == "PENSTOCK_SECRETS"
    assert CliRunner().invoke(cli, [command, "--log-schema", "syslog"]).exit_code == 2
