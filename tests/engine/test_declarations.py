"""Declaring jobs, and what their signatures accept."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine import JobContext, Module, Options, Registry
from penstock.engine.errors import ConfigurationError, InvalidArguments, PayloadTooLarge, UnknownJob
from penstock.engine.limits import MAX_ARGUMENTS

images = Module("images")


@dataclass
class Box:
    left: int
    right: int


@images.job(queue="media")
async def thumbnail(
    ctx: JobContext,
    path: str,
    width: int = 200,
    *,
    box: Box | None = None,
    tags: list[str] = [],  # noqa: B006 -- a default of a job, copied for each call
) -> dict[str, int]:
    return {"width": width}


registry = Registry([images])


def test_a_call_from_python_and_one_from_json_store_the_same_bytes() -> None:
    """Positional, by name, or as a JSON object: one encoding, defaults filled in."""
    called = thumbnail.request("a.png", box=Box(1, 2))
    posted = registry.request(
        "images.thumbnail", b'{"path": "a.png", "box": {"left": 1, "right": 2}}', Options()
    )
    assert bytes(called.args) == bytes(posted.args)
    assert thumbnail.signature.unpack(called.args) == {
        "path": "a.png",
        "width": 200,
        "box": Box(1, 2),
        "tags": [],
    }


@pytest.mark.parametrize(
    ("args", "field", "words"),
    [
        ({}, "path", "missing argument `path`"),
        ({"path": "a", "height": 3}, "height", "unexpected argument `height`"),
        ({"path": 3}, "path", "Expected `str`, got `int` for `path`"),
        ({"path": "a", "box": {"left": 1}}, "right", "missing argument `right`"),
        ({"path": object()}, "path", "argument `path` of type object cannot be serialised"),
        ({"path": "\ud800"}, "path", "cannot be serialised"),
        ({"path": "a", "width": 2**70}, "width", "cannot be serialised"),
    ],
)
def test_a_wrong_argument_is_named_with_what_was_expected(
    args: dict[str, Any], field: str, words: str
) -> None:
    """Missing, extra, wrongly typed or not serialisable: which one, and what the job takes."""
    with pytest.raises(InvalidArguments) as caught:
        thumbnail.request(**args)
    assert caught.value.field == field
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"path": ', "malformed"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"path": "a", "width": "b"}', "Expected `int`, got `str` for `width`"),
    ],
)
def test_wrong_json_is_refused_with_the_reason(body: bytes, words: str) -> None:
    """Arguments from outside are checked as strictly as those from Python."""
    with pytest.raises(InvalidArguments, match=words):
        registry.request("images.thumbnail", body, Options())


def test_too_many_positional_arguments_or_the_same_twice_are_refused() -> None:
    """As Python itself would."""
    with pytest.raises(InvalidArguments, match="takes 4 arguments"):
        thumbnail.request("a", 1, None, [], 5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(InvalidArguments, match="`path` was given twice"):
        thumbnail.request("a", path="b")  # type: ignore[misc]  # pyright: ignore[reportCallIssue]


def test_arguments_have_a_bound() -> None:
    """What is too large is refused before anything is stored."""
    with pytest.raises(PayloadTooLarge, match="at most 262144"):
        thumbnail.request("x" * MAX_ARGUMENTS)


def test_an_unknown_job_is_refused_with_the_names_that_come_near() -> None:
    """A typo is answered with what was probably meant."""
    with pytest.raises(UnknownJob, match=r"did you mean images\.thumbnail"):
        registry.request("images.thumbnial", b"{}", Options())


def test_each_call_gets_a_default_of_its_own() -> None:
    """Mutable defaults are not shared between jobs."""
    first = thumbnail.signature.unpack(thumbnail.request("a").args)
    first["tags"].append("changed")
    assert thumbnail.signature.unpack(thumbnail.request("a").args)["tags"] == []


@given(st.text(), st.integers(-(2**63), 2**64 - 1), st.lists(st.text()))
def test_what_is_submitted_is_what_the_handler_gets(path: str, width: int, tags: list[str]) -> None:
    """Encoding and decoding are inverse for every value that is accepted."""
    request = thumbnail.request(path, width, tags=tags)
    assert thumbnail.signature.unpack(request.args) == {
        "path": path,
        "width": width,
        "box": None,
        "tags": tags,
    }


def test_rich_types_survive() -> None:
    """Datetimes, sets and bytes are stored and handed over as declared."""
    module = Module("m")

    @module.job
    async def rich(ctx: JobContext, at: datetime, names: set[str], blob: bytes) -> None: ...

    values = {"at": datetime(2026, 1, 2, tzinfo=UTC), "names": {"a"}, "blob": b"\x00"}
    assert rich.signature.unpack(rich.request(**values).args) == values  # type: ignore[arg-type]


def test_a_definition_is_still_the_function() -> None:
    """Tests call the handler directly, without a queue."""
    module = Module("m")

    @module.job
    def add(ctx: JobContext, left: int, right: int) -> int:
        return left + right

    assert add(None, 1, 2) == 3


def _declare(source: str) -> None:
    """Run a declaration in a module of its own."""
    exec(source, {"Module": Module, "JobContext": JobContext, "m": Module("m")})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("@m.job\nasync def f(ctx: JobContext, x): ...", "parameter x has no type"),
        ("@m.job\nasync def f(x: int): ...", "must be `ctx: JobContext`"),
        ("@m.job\nasync def f(ctx: JobContext, *xs: int): ...", "must have a name of its own"),
        ("@m.job\nasync def f(ctx: JobContext, x: 'Nope'): ...", "annotations do not resolve"),
        ("@m.job(queue='No!')\nasync def f(ctx: JobContext): ...", "cannot name a queue"),
        ("@m.job(timeout=0)\nasync def f(ctx: JobContext): ...", "timeout"),
        ("@m.job(priority=10)\nasync def f(ctx: JobContext): ...", "priority 10"),
        ("@m.job(name='a b')\nasync def f(ctx: JobContext): ...", "cannot name a job"),
        (
            "@m.job\nasync def f(ctx: JobContext): ...\n@m.job\nasync def f(ctx: JobContext): ...",
            "declared twice",
        ),
    ],
)
def test_a_wrong_declaration_is_refused_when_it_is_read(source: str, words: str) -> None:
    """Not at the first submission, and with the name of the job."""
    with pytest.raises(ConfigurationError, match=words):
        _declare(source)


def test_two_modules_may_not_declare_the_same_name() -> None:
    """Names are unique in a registry."""
    one, other = Module("same"), Module("same")
    for module in (one, other):

        @module.job(name="f")
        async def f(ctx: JobContext) -> None: ...

    with pytest.raises(ConfigurationError, match="declared by two modules"):
        Registry([one, other])
