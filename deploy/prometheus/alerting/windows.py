"""Burn rates: how many times faster than allowed a budget is used up, over a long window and a short one.

The pairs and factors are those of "The Site Reliability Workbook", chapter 5, for a budget of 30 days
(https://sre.google/workbook/alerting-on-slos/). The long window says that it matters, the short one that it
still goes on, so that an alert ends soon after its cause.
"""

import msgspec

from prometheus.alerting.rule import Severity

RATES = ("5m", "30m", "1h", "6h")
"""Windows over which shares are recorded."""
LEAST = 10
"""Jobs in the long window that missed, for an alert: one of three jobs is a third, and no incident."""


class Burn(msgspec.Struct, frozen=True):
    """One pair of windows."""

    suffix: str
    """Behind the name of the alert."""
    long: str
    short: str
    factor: float
    lasts: str
    severity: Severity
    meaning: str


BURNS = (
    Burn("Fast", "1h", "5m", 14.4, "2m", "page", "at this rate two days use up the budget of a month"),
    Burn("", "6h", "30m", 6, "15m", "ticket", "at this rate five days use up the budget of a month"),
)
