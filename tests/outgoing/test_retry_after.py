"""How long a host asks to be left alone."""

import pytest

from penstock.engine.outgoing.retry_after import retry_after

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        ("Sun Nov  6 08:50:37 1994", 60.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
    ],
)
def test_a_number_or_a_date_of_any_of_the_three_forms_is_read(value: str, seconds: float) -> None:
    """RFC 9110, §5.6.7 and §10.2.3; a date that has passed asks for nothing."""
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [None, "", "soon", "-1", "1.5", "1e9", "nan", "inf", "٣", "9" * 5_000, "Sun, 99 Nov 1994 08:50:37 GMT",
     "Sun, 06 Nov 99999 08:50:37 GMT", "Sun, 06", "\x00", "1, 2"],
)  # fmt: skip
def test_garbage_asks_for_nothing(value: str | None) -> None:
    """It is as if it were not there."""
    assert retry_after(value, NOW) is None
