"""When schedules are due, against a second definition that knows nothing of the first."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.cron import SHORTHANDS, Cron, Every, Moments
from penstock.engine.errors import ConfigurationError

MINUTE, HOUR = 60_000, 3_600_000
SHIFT = timedelta(hours=1)  # of a clock, at most
CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/Dublin", "2026-10-25"),  # whose winter is the time that is saved
    ("America/Sao_Paulo", "2018-02-17"),  # at midnight
    ("America/Sao_Paulo", "2018-11-04"),
    ("Africa/Casablanca", "2026-03-22"),  # back for a month in spring
    ("Asia/Kathmandu", "2026-03-29"),  # never
    ("UTC", "2028-02-29"),
]


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp()) * 1000


def moments(series: Moments, start: int, end: int) -> list[int]:
    """All after `start` and not after `end`, as asked one by one."""

    def walk() -> Iterator[int]:
        moment = start
        while True:
            moment = series.after(moment)
            yield moment

    return list(takewhile(lambda moment: moment <= end, walk()))


def matching(text: str, least: int, most: int) -> set[int]:
    """The numbers that a field of `*`, `a`, `a-b`, `…/n` and lists of them allows."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        if span == "*":
            numbers = range(least, most + 1)
        else:
            numbers = range(int(low), (int(high) if high else most if step else int(low)) + 1)
        found |= set(numbers[:: int(step or 1)])
    return found


class Definition:
    """What docs/periodic.md says, by trying each minute."""

    def __init__(self, text: str, zone: str) -> None:
        minute, hour, day, month, weekday = text.split()
        self.zone = ZoneInfo(zone)
        self.minutes, self.hours = matching(minute, 0, 59), matching(hour, 0, 23)
        self.days, self.months = matching(day, 1, 31), matching(month, 1, 12)
        self.weekdays = {number % 7 for number in matching(weekday, 0, 7)}
        self.both = day.startswith("*") or weekday.startswith("*")
        self.fixed = not minute.startswith("*") and not hour.startswith("*")

    def matches(self, local: datetime) -> bool:
        day, weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        right_day = (day and weekday) if self.both else (day or weekday)
        time = local.minute in self.minutes and local.hour in self.hours
        return time and right_day and local.month in self.months

    def between(self, start: int, end: int) -> list[int]:
        found = self._by_wall_clock(start, end) if self.fixed else self._by_elapsed_time(start, end)
        return sorted(moment for moment in set(found) if start < moment <= end)

    def _by_elapsed_time(self, start: int, end: int) -> Iterator[int]:
        """Each minute that passes counts, whatever the clock did before it."""
        for moment in range(start // MINUTE * MINUTE, end + 1, MINUTE):
            if self.matches(datetime.fromtimestamp(moment / 1000, self.zone)):
                yield moment

    def _by_wall_clock(self, start: int, end: int) -> Iterator[int]:
        """Each time on the clock counts once: the first of two, and the next there is where there is none."""
        local = (
            datetime.fromtimestamp(start / 1000, self.zone).replace(tzinfo=None, second=0, microsecond=0)
            - 2 * SHIFT
        )
        for _ in range((end - start + 4 * SHIFT // timedelta(milliseconds=1)) // MINUTE):
            if self.matches(local):
                there = local
                while _imaginary(there, self.zone):
                    there += timedelta(minutes=1)
                yield milliseconds(there.replace(tzinfo=self.zone, fold=0))
            local += timedelta(minutes=1)


def _imaginary(local: datetime, zone: ZoneInfo) -> bool:
    there = local.replace(tzinfo=zone)
    return there.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local


def field(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    # No range of one number: with a step they take `5-5/2` for `5/2`.
    span = st.tuples(st.integers(least, most - 1), number).map(
        lambda two: f"{two[0]}-{max(two[0] + 1, two[1])}"
    )
    steps = st.sampled_from([1, 2, 5, 7, 15])
    single = number.map(str) | span | st.tuples(span, steps).map(lambda two: f"{two[0]}/{two[1]}")
    stars = st.just("*") | steps.map(lambda step: f"*/{step}")
    return stars | single | st.lists(single, min_size=2, max_size=3).map(",".join)


expressions = st.tuples(
    field(0, 59),
    field(0, 5) | field(0, 23),  # most changes are in the small hours
    st.just("*") | field(1, 31),
    st.just("*"),
    st.just("*") | field(0, 7),
).map(" ".join)


@given(text=expressions, change=st.sampled_from(CHANGES), offset=st.integers(0, 14 * HOUR))
def test_what_is_due_around_changed_clocks_is_what_the_rules_say(
    text: str, change: tuple[str, str], offset: int
) -> None:
    """Whatever the expression, wherever it is asked from; also going back from any moment."""
    zone, date = change
    start = milliseconds(datetime.fromisoformat(date).replace(tzinfo=UTC)) - 12 * HOUR + offset
    end = start + 10 * HOUR
    due = Definition(text, zone).between(start, end)
    series = Cron(text, zone)
    assert moments(series, start, end) == due
    for moment in due[:5] + due[-5:]:
        assert series.until(moment) == moment
        assert series.after(moment - 1) == moment
    assert all(series.until(later - 1) == moment for moment, later in islice(pairwise(due), 9))


def local(series: Moments, zone: str, start: str, count: int) -> list[str]:
    """The first moments after a local time, as the clock on the wall shows them, with its offset."""
    clock = ZoneInfo(zone)
    moment, shown = milliseconds(datetime.fromisoformat(start).replace(tzinfo=clock)), list[str]()
    for _ in range(count):
        moment = series.after(moment)
        shown.append(datetime.fromtimestamp(moment / 1000, clock).strftime("%d %H:%M %z"))
    return shown


def test_a_time_that_does_not_exist_is_the_next_that_does() -> None:
    """In Berlin 02:30 on 29 March 2026 is 03:00; two such times are one moment."""
    at_half_past_two = Cron("30 2 * * *", "Europe/Berlin")
    shown = local(at_half_past_two, "Europe/Berlin", "2026-03-28T12:00", 2)
    assert shown == ["29 03:00 +0200", "30 02:30 +0200"]
    twice_an_hour = Cron("0,30 2,3 * * *", "Europe/Berlin")
    shown = local(twice_an_hour, "Europe/Berlin", "2026-03-29T00:00", 3)
    assert shown == ["29 03:00 +0200", "29 03:30 +0200", "30 02:00 +0200"]


def test_a_time_that_comes_twice_counts_once() -> None:
    """The first of the two, also where it is asked in the second."""
    daily = Cron("30 2 * * *", "Europe/Berlin")
    shown = local(daily, "Europe/Berlin", "2026-10-24T12:00", 2)
    assert shown == ["25 02:30 +0200", "26 02:30 +0100"]
    in_second = milliseconds(datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=ZoneInfo("Europe/Berlin")))
    assert daily.after(in_second) - in_second > 86_400_000
    assert in_second - daily.until(in_second) == 40 * MINUTE


def test_what_goes_by_elapsed_time_does_not_care_about_the_clock() -> None:
    """Every half hour is every half hour, in the hour that comes twice as well."""
    shown = local(Cron("*/30 * * * *", "Europe/Berlin"), "Europe/Berlin", "2026-10-25T01:40", 5)
    assert shown == ["25 02:00 +0200", "25 02:30 +0200", "25 02:00 +0100", "25 02:30 +0100", "25 03:00 +0100"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("0 9 * * MON-WED", "2026-01-05 09:00"),
        ("0 9 * jan,jul sat", "2026-01-03 09:00"),
        ("0 0 L * *", "2026-01-31 00:00"),
        ("0 0 LW * *", "2026-01-30 00:00"),
        ("0 0 * * 5L", "2026-01-30 00:00"),
        ("0 0 * * MON#2", "2026-01-12 00:00"),
        ("0 0 13 * 5", "2026-01-02 00:00"),  # either, as neither begins with a star
        ("5/20 * * * *", "2026-01-01 00:05"),
        ("@weekly", "2026-01-04 00:00"),
        ("@Hourly", "2026-01-01 01:00"),
    ],
)
def test_the_notation_of_crontab(text: str, first: str) -> None:
    """Names, ranges, steps, the last day, the last working day, the n-th weekday, shorthands."""
    start = milliseconds(datetime(2026, 1, 1, tzinfo=UTC))
    assert (
        datetime.fromtimestamp(Cron(text, "UTC").after(start) / 1000, UTC).strftime("%Y-%m-%d %H:%M") == first
    )


def test_every_shorthand_is_an_expression() -> None:
    """Each of those that the error message names."""
    for text in SHORTHANDS:
        assert Cron(text, "UTC").text == text


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "0 0 30 2 *", "0 0 * * L",
     "@reboot", "0 0 31 4,6 *", "a b c d e", "0 0 * * MON#6", "\0 * * * *", "1,,2 * * * *", "0 0 L-3 * *"],
)  # fmt: skip
def test_what_is_no_expression_or_never_comes_is_refused(text: str) -> None:
    """When it is declared, with the expression in the message."""
    with pytest.raises(ConfigurationError, match="cron expression"):
        Cron(text, "UTC")


@pytest.mark.parametrize("zone", ["", "Berlin", "../etc/passwd", "Europe/", "/etc/localtime", "\0"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    """When it is declared."""
    with pytest.raises(ConfigurationError, match="no time zone"):
        Cron("@daily", zone)


@given(seconds=st.integers(1, 10_000), start=st.integers(0, 10**13))
def test_intervals_are_counted_from_the_epoch(seconds: int, start: int) -> None:
    """So that all who count them agree, and nothing drifts."""
    series = Every(seconds)
    after, until = series.after(start), series.until(start)
    assert after % (seconds * 1000) == until % (seconds * 1000) == 0
    assert after - until == seconds * 1000
    assert until <= start < after


@pytest.mark.parametrize("seconds", [0, -1, 0.5, 1.00001, 1e9, float("nan"), float("inf")])
def test_intervals_that_cannot_be_are_refused(seconds: float) -> None:
    """Too short, too long, no whole milliseconds, no number."""
    with pytest.raises(ConfigurationError, match="every"):
        Every(seconds)
