"""How long a host asks to be left alone (RFC 9110, §10.2.3)."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,10}")


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait from a `Retry-After`, a number or a date; None where there is none or it is garbage.

    `now` is in seconds since the epoch; a date that has passed is 0 seconds away.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):  # what the parser raises for what is none
        return None
    aware = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - now)
