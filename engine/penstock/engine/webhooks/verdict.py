"""What a receiver's answer means for a delivery: done, again, or never."""

import random
import time
from collections.abc import Mapping

import httpx

from penstock.engine.outcome import Dead, Retry
from penstock.engine.outgoing.addresses import why_refused
from penstock.engine.outgoing.retry_after import retry_after
from penstock.engine.retry import Backoff

BACKOFF = Backoff(base=5.0, cap=6 * 3600.0)
"""Seconds; with `RETRIES` it spreads over a day, half of that on average, about as the scheme advises."""
RETRIES = 15
_LONGEST = 24 * 3600.0
"""Seconds that a receiver may ask to be left alone; who asks for more is asked after a day."""
_AGAIN = frozenset({408, 425, 429})
_SPREAD = 1.1  # those told to come back at one time come over a tenth of it


def judge(status: int, headers: Mapping[str, str], attempt: int, rng: random.Random) -> None:
    """Return where the delivery is done, else raise what becomes of it.

    2xx is done; 410, redirects and other 4xx are `Dead`; 408, 425, 429 and 5xx are a `Retry`, not sooner than
    a `Retry-After` says.
    """
    if 200 <= status < 300:
        return
    if status == 410:
        raise Dead("the endpoint is gone (it answered 410): take it out of the configuration")
    if 300 <= status < 400:
        raise Dead(f"the endpoint answered {status}: {_redirect(headers)}")
    if 400 <= status < 500 and status not in _AGAIN:
        raise Dead(f"the endpoint refuses the delivery: it answered {status}")
    asked = retry_after(headers.get("retry-after"), time.time())
    raise Retry(f"the endpoint answered {status}", delay=pause(asked, attempt, rng))


def pause(asked: float | None, attempt: int, rng: random.Random) -> float | None:
    """Seconds to wait: no less than was asked for and than backoff says; None leaves it to backoff."""
    if asked is None:
        return None
    return max(min(asked, _LONGEST) * rng.uniform(1, _SPREAD), BACKOFF.delay(attempt, rng))


def _redirect(headers: Mapping[str, str]) -> str:
    """Why a redirect is not followed; where it leads is not quoted, only what is wrong with it."""
    why = _private(headers.get("location", ""))
    if why is not None:
        return f"redirects are not followed, and this one leads to a private address ({why})"
    return "redirects are not followed; configure the address that it has moved to"


def _private(location: str) -> str | None:
    try:
        host = httpx.URL(location).raw_host.decode().rstrip(".")
        if host == "localhost" or host.endswith(".localhost"):
            return "loopback"
        return why_refused(host)
    except (httpx.InvalidURL, ValueError):  # a name: it is not resolved, as it is not followed
        return None
