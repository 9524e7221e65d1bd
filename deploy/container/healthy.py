"""Exit code 0 if the process of this container is alive: the image's health check; there is no curl in it."""

import os
import sys
from urllib.request import ProxyHandler, build_opener

WITHIN = 4.0
"""Seconds; one less than Docker gives the check."""


def main() -> int:
    """Ask `/healthz` where PENSTOCK_METRICS_BIND says that the process answers."""
    port = os.environ.get("PENSTOCK_METRICS_BIND", "0.0.0.0:9100").rpartition(":")[2]
    url = f"http://127.0.0.1:{port}/healthz"
    try:
        # Whatever proxy the application is to use, this stays inside the container.
        with build_opener(ProxyHandler({})).open(url, timeout=WITHIN) as answer:
            return 0 if answer.status == 200 else 1
    except OSError as error:
        sys.stderr.write(f"{url}: {error}\n")  # `docker inspect` shows it
        return 1


if __name__ == "__main__":
    sys.exit(main())
