"""Which arguments may stand on log lines: those that their author marked, and no others."""

from typing import Annotated

import msgspec
import pytest

from penstock.engine import JobContext, Logged, Module
from penstock.engine.events import JobFinished, JobStarted
from support.work import working

images = Module("images")


@images.job
async def resize(
    ctx: JobContext,
    path: str,
    width: Annotated[int, Logged()],
    mode: Annotated[str, msgspec.Meta(max_length=10), Logged] = "fit",
) -> None: ...


@images.job
async def forget(ctx: JobContext, path: str) -> None: ...


def test_only_marked_parameters_are_taken_out() -> None:
    """`Logged()` or `Logged`, beside whatever else an annotation says; defaults included."""
    raw = resize.signature.bind(("a.png",), {"width": 200})

    assert resize.signature.logged(raw) == {"width": 200, "mode": "fit"}
    assert forget.signature.logged(forget.signature.bind(("a.png",), {})) is None


def test_the_mark_changes_nothing_else() -> None:
    """Checks, schema and the words of messages are those of the type alone."""
    assert resize.signature.describe()[:2] == ["path: str", "width: int"]
    properties = next(iter(resize.signature.schema()["$defs"].values()))["properties"]
    assert properties["width"] == {"type": "integer"}
    assert properties["mode"]["maxLength"] == 10


@pytest.mark.parametrize("raw", [b"\xc1", b"\x80", b"\x93\x01"], ids=["malformed", "missing", "cut"])
def test_arguments_that_do_not_decode_are_the_attempt_s_to_tell(raw: bytes) -> None:
    """Here they are as none."""
    assert resize.signature.logged(msgspec.Raw(raw)) is None


async def test_an_attempt_carries_them_from_its_start_to_its_end() -> None:
    """Observers and the scope around it find them; an attempt without marks has none."""
    async with working(images) as shop:
        await shop.start_worker()
        await shop.client.submit(resize, "secret.png", 200)
        await shop.client.submit(forget, "secret.png")
        finished = await shop.ears.wait_for(JobFinished, count=2)
        started = shop.ears.of(JobStarted)

    expected = {"images.resize": {"width": 200, "mode": "fit"}, "images.forget": None}
    for events in (started, finished):
        assert {event.attempt.job: event.attempt.logged for event in events} == expected
