"""When a schedule is due: cron expressions in a time zone, and plain intervals. Pure, in milliseconds.

Cron's five fields are read by `cronsim`, which follows Debian's cron to the letter, also where the clocks are
changed. What it does around these hours, and where this file corrects it, is told in docs/periodic.md.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from penstock.engine.errors import ConfigurationError
from penstock.engine.limits import MAX_DELAY

SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""As crontab(5) has them; `@reboot` is no time."""
MIN_INTERVAL = 1.0
"""Seconds: below it a job that goes round by itself is the better tool."""
_FIELDS = 5


class Moments(Protocol):
    """An endless series of moments, milliseconds since the epoch."""

    @property
    def text(self) -> str:
        """As it was declared."""
        ...

    @property
    def timezone(self) -> str:
        """The zone whose clocks it goes by."""
        ...

    def after(self, moment: int) -> int:
        """The first moment later than `moment`."""
        ...

    def until(self, moment: int) -> int:
        """The last one that is not later than `moment`."""
        ...


class Cron:
    """The moments of a cron expression by the clocks of a time zone."""

    def __init__(self, text: str, timezone: str) -> None:
        """Read both; raises `ConfigurationError` for what is no expression, never comes, or no zone."""
        self.text = text
        self.timezone = timezone
        self._zone = _zone(timezone)
        self._expression = SHORTHANDS.get(text.strip().lower(), text)
        if len(self._expression.split()) != _FIELDS:
            raise ConfigurationError(
                f"{text!r} is no cron expression: expected five fields (minute, hour, day of month, month, "
                f"day of week) or one of {', '.join(SHORTHANDS)}"
            )
        try:
            # Rare ones take milliseconds to find. The first is looked for here, where no loop waits for it.
            self._gap = 0, 0
            self.after(round(datetime.now(UTC).timestamp() * 1000))
        except StopIteration as error:
            raise ConfigurationError(f"cron expression {text!r} does not come in 50 years") from error
        except (CronSimError, AssertionError) as error:  # a step of an L is an assertion of theirs
            raise ConfigurationError(f"cron expression {text!r}: {error}") from error

    def after(self, moment: int) -> int:
        """The first moment later than `moment`."""
        start, end = self._gap
        if not start <= moment < end:
            # Their answer may lie before the question in the hour that comes twice.
            end = next(each for each in self._walk(moment) if each > moment)
            self._gap = moment, end
        return end

    def until(self, moment: int) -> int:
        """The last one that is not later than `moment`."""
        found = next(each for each in self._walk(moment + 1000, back=True) if each <= moment)
        while (following := self.after(found)) <= moment:  # going back they miss some of that hour
            found = following
        return found

    def _walk(self, moment: int, *, back: bool = False) -> Iterator[int]:
        walk = CronSim(self._expression, datetime.fromtimestamp(moment // 1000, self._zone), back)
        return (round(each.timestamp()) * 1000 for each in walk)


class Every:
    """Moments at one distance from each other, counted from the epoch: so all processes agree on them."""

    def __init__(self, seconds: float) -> None:
        """Raises `ConfigurationError` for what is no whole number of milliseconds, too short or too long."""
        self.text = f"every {seconds:g} s"
        self.timezone = "UTC"
        self._step = round(seconds * 1000) if MIN_INTERVAL <= seconds <= MAX_DELAY else 0
        if self._step == 0 or abs(self._step - seconds * 1000) > 1e-6:
            raise ConfigurationError(
                f"every {seconds!r} seconds: expected {MIN_INTERVAL:g} to {MAX_DELAY:.0f}, "
                "in whole milliseconds"
            )

    def after(self, moment: int) -> int:
        """The first moment later than `moment`."""
        return (moment // self._step + 1) * self._step

    def until(self, moment: int) -> int:
        """The last one that is not later than `moment`."""
        return moment // self._step * self._step


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"no time zone {name!r}: expected a name like Europe/Berlin. Where the system has no zones "
            "at all, install the package tzdata"
        ) from error
