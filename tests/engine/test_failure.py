"""What is kept of an exception."""

import pytest

from penstock.engine import Retry
from penstock.engine.attempt import Attempt
from penstock.engine.failure import describe_failure, describe_trouble, describe_wish
from penstock.engine.job import JobError
from penstock.engine.limits import MAX_ERROR_MESSAGE, MAX_TRACEBACK
from penstock.engine.record import Ending, decode_ending, encode_ending
from penstock.engine.seams import Redact

TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"


class Span:
    """What telemetry leaves with an attempt."""

    traceparent = TRACEPARENT


ATTEMPT = Attempt(
    id="media.1",
    job="images.thumbnail",
    module="images",
    queue="media",
    number=2,
    max_attempts=4,
    priority=0,
    tenant=None,
    user=None,
    headers={},
    submitted=0.0,
    due=0.0,
    now=0.0,
    worker="w1",
    waited=0.0,
    trace=Span(),
)


def raised(message: object) -> ValueError:
    """An error with a traceback."""
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_it_says_what_where_by_whom_and_in_which_trace() -> None:
    """Everything that leads from a dead letter to its story."""
    error = describe_failure(raised("no"), ATTEMPT)
    assert (error.type, error.message, error.attempt, error.worker) == ("ValueError", "no", 2, "w1")
    assert (error.traceparent, error.trace_id) == (TRACEPARENT, "a" * 32)
    assert "raise ValueError(message)" in error.traceback
    assert len(error.fingerprint) == 16


def test_a_failure_is_told_within_bounds_even_if_its_message_cannot_be_read() -> None:
    """Errors come from users' code: long, nested or broken."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert describe_failure(Broken(), ATTEMPT).message == "<its message cannot be read: RuntimeError>"
    long = describe_failure(ValueError("x" * 100_000), ATTEMPT)
    assert len(long.message) == MAX_ERROR_MESSAGE
    assert len(long.traceback) <= MAX_TRACEBACK
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [KeyError("k")])])
    assert describe_failure(group, ATTEMPT).type == "KeyError"
    assert (
        describe_failure(ExceptionGroup("two", [KeyError(), ValueError()]), ATTEMPT).type == "ExceptionGroup"
    )


def test_of_a_deep_traceback_the_innermost_frames_are_kept() -> None:
    """And Python is not kept busy with the rest."""

    def down(depth: int) -> None:
        if depth == 0:
            raise ValueError("at the bottom")
        down(depth - 1)

    with pytest.raises(ValueError, match="at the bottom") as caught:
        down(500)
    text = describe_failure(caught.value, ATTEMPT).traceback
    assert text.endswith("ValueError: at the bottom\n")
    assert 'raise ValueError("at the bottom")' in text
    assert len(text) <= MAX_TRACEBACK


def test_no_local_variable_is_kept() -> None:
    """A traceback shows source lines, never values."""
    secret = "".join(["hun", "ter2"])
    with pytest.raises(KeyError) as caught:
        raise KeyError(len(secret))
    assert secret not in repr(describe_failure(caught.value, ATTEMPT))


def test_a_wish_is_told_by_its_reason_alone() -> None:
    """A retry that the handler asks for is no failure: nothing to count, nothing to trace back."""
    wish = describe_wish(Retry("not yet"), ATTEMPT)
    assert (wish.message, wish.traceback, wish.fingerprint, wish.attempt) == ("not yet", "", "", 2)


def test_what_dies_without_an_attempt_is_told_by_kind_and_place() -> None:
    """Equal for one job or queue, another for another."""
    lost = [describe_trouble("x.Lost", f"by {n}", worker="w", place=place) for n, place in enumerate("aab")]
    assert lost[0].fingerprint == lost[1].fingerprint != lost[2].fingerprint
    assert (lost[0].attempt, lost[0].worker, lost[0].trace_id) == (0, "w", None)


# --- redaction ------------------------------------------------------------------------------

SECRET = "sk-0123456789abcdef"


def hide(text: str) -> str:
    return text.replace(SECRET, "[redacted]")


def test_message_and_traceback_are_redacted() -> None:
    """Both hold the message, and a message may hold anything."""
    error = describe_failure(raised(f"key {SECRET} is refused"), ATTEMPT, redact=hide)
    assert error.message == "key [redacted] is refused"
    assert SECRET not in error.traceback
    assert "[redacted]" in error.traceback
    assert describe_wish(Retry(SECRET), ATTEMPT, redact=hide).message == "[redacted]"


@pytest.mark.parametrize("before", range(0, len(SECRET) + 1, 3))
def test_no_part_of_a_secret_is_left_where_a_text_is_cut(before: int) -> None:
    """Redaction comes before the cut, at either end, and of a text too long for it the cut is kept clear."""
    for room in (1, 4):
        end = MAX_ERROR_MESSAGE * room - before
        message = describe_failure(raised("." * end + SECRET + "." * 9_000), ATTEMPT, redact=hide).message
        assert "sk-" not in message
        assert len(message) == MAX_ERROR_MESSAGE
        start = MAX_TRACEBACK * room - before
        text = describe_failure(raised(SECRET + "." * start), ATTEMPT, redact=hide).traceback
        assert SECRET[-4:] not in text.partition(".")[0]


def test_even_where_secrets_are_most_of_the_text_no_half_of_one_is_kept() -> None:
    """What redaction makes shorter draws the cut nearer, at either end."""
    for dots in range(len(SECRET)):
        error = raised("." * dots + SECRET * 5_000 + "." * dots)
        told = describe_failure(error, ATTEMPT, redact=lambda text: text.replace(SECRET, ""))
        assert "sk-" not in told.message
        assert SECRET[-4:] not in told.traceback


def _raise(text: str) -> str:
    raise LookupError(text)


@pytest.mark.parametrize("redact", [_raise])
def test_a_redactor_that_raises_lets_nothing_out(redact: Redact) -> None:
    """The attempt has its ending all the same."""
    error = describe_failure(raised(SECRET), ATTEMPT, redact=redact)
    assert error.type == "ValueError"
    assert error.message == error.traceback == "<not kept: its redaction raised LookupError>"
    assert error.fingerprint == describe_failure(raised(SECRET), ATTEMPT).fingerprint


# --- stored ---------------------------------------------------------------------------------


def test_all_of_it_survives_the_record() -> None:
    """Written into the ending and read back."""
    error = describe_failure(raised("no"), ATTEMPT)
    assert decode_ending(encode_ending(Ending("w", 1, 2, error=error))).error == error


def test_an_ending_of_three_fields_is_still_read() -> None:
    """As versions before this one wrote it; what they did not know is empty."""
    written = encode_ending(["w", 1, 2, None, ["builtins.KeyError", "'width'", "Traceback …"]])
    error = decode_ending(written).error
    assert error == JobError("builtins.KeyError", "'width'", "Traceback …", 0, "", "", "")
    assert error is not None
    assert error.trace_id is None
