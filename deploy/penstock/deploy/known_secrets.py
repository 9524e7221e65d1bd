"""The secrets among the settings, so that telemetry can keep them out of logs, error reports and spans.

Of the environment only those variables are read here that the settings name.
"""

import os
from collections.abc import Mapping

from penstock.deploy.settings import Settings
from penstock.telemetry.logs.known_secrets import secrets_of_url


def known_secrets(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Each secret under where it comes from; an empty one under a variable that is not set."""
    found = {name: environ.get(name, "") for name in settings.secrets or ()}
    for number, secret in enumerate(secrets_of_url(settings.redis)):
        found[f"password {number + 1} of the Redis URL"] = secret
    return found
