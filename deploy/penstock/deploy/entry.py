"""The `penstock` script: says in one line what is missing where only the library is installed."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line."""
    try:
        from penstock.deploy.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("penstock"):
            raise
        sys.exit(f"penstock: the command line needs the package {error.name}; pip install 'penstock[server]'")
    run()
