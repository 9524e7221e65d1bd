"""The secrets among the settings, so that telemetry can keep them out of logs, error reports and spans.

Of the environment only those variables are read here that the settings name.
"""

import os
from collections.abc import Iterable, Mapping

from penstock.deploy.module_settings import read_module_settings
from penstock.deploy.settings import Settings
from penstock.engine.errors import ConfigurationError
from penstock.engine.module import Module
from penstock.telemetry.logs.known_secrets import secrets_of_url


def known_secrets(
    settings: Settings, modules: Iterable[Module] = (), environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Each secret under where it comes from; an empty one under a variable that is not set.

    Settings of modules tell theirs by a property `all_secrets`.
    """
    found = {name: environ.get(name, "") for name in settings.secrets or ()}
    for number, secret in enumerate(secrets_of_url(settings.redis)):
        found[f"password {number + 1} of the Redis URL"] = secret
    for number, secret in enumerate(secrets_of_url(settings.history_url or "")):
        found[f"password {number + 1} of the history's URL"] = secret
    for number, secret in enumerate(secrets_of_url(settings.outbox_url or "")):
        found[f"password {number + 1} of the outbox's URL"] = secret
    for number, secret in enumerate(secrets_of_url(settings.bus)):
        found[f"password {number + 1} of the bus's URL"] = secret
    for module in modules:
        for number, secret in enumerate(_secrets_of(module, environ)):
            found[f"secret {number + 1} of the module {module.name}"] = secret
    return found


def _secrets_of(module: Module, environ: Mapping[str, str]) -> Iterable[str]:
    try:
        [settings] = read_module_settings([module], environ).values()
    except (
        ValueError,
        ConfigurationError,
    ):  # it has none, or the worker that needs them will say what is wrong
        return ()
    secrets: Iterable[str] = getattr(settings, "all_secrets", ())
    return secrets
