"""Submit jobs to a system under test, in its own environment: `… submit APP ASYNC SECONDS NAME NAME …`."""

import sys
from importlib import import_module


def main(app: str, runner: str, seconds: str, *jobs: str) -> None:
    """Call `submit(jobs, seconds)` of the module `app` under `trio` or `asyncio`."""
    submit = import_module(app).submit
    if runner == "trio":
        import_module("trio").run(submit, list(jobs), float(seconds))
    else:
        import_module("asyncio").run(submit(list(jobs), float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
