"""Half a surrogate pair, as `os.fsdecode` and JSON make it, is no character and cannot be stored."""

import pytest

from penstock.engine import JobContext, Module
from penstock.engine.errors import InvalidArguments, InvalidRequest

module = Module("m")
FIELDS = ["tenant", "user", "unique_key", "idempotency_key"]
HALVES = pytest.mark.parametrize("text", ["a\udc80", "\ud83d", "ü\udfffz"])


@module.job
async def work(ctx: JobContext, text: str = "") -> None: ...


@HALVES
@pytest.mark.parametrize("field", FIELDS)
def test_an_option_that_holds_one_is_refused_by_name(field: str, text: str) -> None:
    """Before anything is sent, with a message that names the field and can be written itself."""
    with pytest.raises(InvalidRequest, match="surrogate") as caught:
        work.using(**{field: text})
    assert caught.value.field == field
    assert str(caught.value).encode()


@pytest.mark.parametrize("field", FIELDS)
def test_an_option_may_hold_any_other_character(field: str) -> None:
    """Also those beyond the sixteen bits that pairs of surrogates stand for elsewhere."""
    text = "ü\U0001f600"
    assert getattr(work.using(**{field: text}).request(), field) == text


@HALVES
def test_an_argument_that_holds_one_is_refused(text: str) -> None:
    """Arguments are told apart from options by their error."""
    with pytest.raises(InvalidArguments):
        work.request(text)
