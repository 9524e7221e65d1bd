"""The tokens file is read again when it changes; what is wrong with it takes nobody's token away."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from penstock.deploy import token_file
from penstock.deploy.token_file import LARGEST, LOOK, TokenFile
from penstock.engine.errors import ConfigurationError
from penstock.engine.metric import Metric
from penstock.http.metrics import TOKENS, TOKENS_STALE
from penstock.http.token_book import digest_of


def line(name: str) -> str:
    """A token whose secret is its name."""
    return json.dumps({"name": name, "sha256": digest_of(name), "scopes": ["read"]}) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one token."""
    path = tmp_path / "tokens"
    path.write_text(line("old"))
    return path


def opened(path: Path) -> TokenFile:
    return TokenFile(path, structlog.get_logger())


def known(tokens: TokenFile) -> set[str]:
    return {name for name in ("old", "new") if tokens.find(name.encode())}


def write(path: Path, text: str) -> None:
    path.write_text(text)


def put_in_place(path: Path, text: str) -> None:
    other = path.with_name("other")
    other.write_text(text)
    other.replace(path)


def move(path: Path, to: Path) -> None:
    path.rename(to)


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


TROUBLES: dict[str, Callable[[Path], None]] = {
    "gone": Path.unlink,
    "folder": become_a_folder,
    "pipe": become_a_pipe,
    "too large": lambda path: write(path, "#" * (LARGEST + 1)),
    "broken": lambda path: write(path, line("old") + "{}"),
}
SAID = {
    "gone": "No such file",
    "folder": "it is no file",
    "pipe": "it is no file",
    "too large": "larger than",
    "broken": "line 2: ",
}


def mend(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    put_in_place(path, line("new"))


def gauge(metric: Metric) -> tuple[list[float], Callable[[], None]]:
    """What it is set to from now on."""
    told: list[float] = []
    return told, metric.bind(lambda change, labels, number: told.append(number))


async def test_a_file_that_has_changed_is_read_again(file: Path) -> None:
    """Written anew, or another one put in its place; the next look knows it, and says so once."""
    tokens = opened(file)
    assert known(tokens) == {"old"}
    with capture_logs() as logs:
        write(file, line("old") + line("new"))
        await tokens.look()
        assert known(tokens) == {"old", "new"}
        write(file, line("new"))
        await tokens.look()
        assert known(tokens) == {"new"}
        put_in_place(file, line("old"))
        await tokens.look()
        await tokens.look()
        assert known(tokens) == {"old"}
    assert [(entry["event"], entry["count"]) for entry in logs] == [
        ("tokens read again", 2),
        ("tokens read again", 1),
        ("tokens read again", 1),
    ]


async def test_a_link_that_points_elsewhere_is_a_change(tmp_path: Path) -> None:
    """So Kubernetes renews what it mounts: size and time of what is behind it may be the same."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokens").write_text(line(name))
        os.utime(tmp_path / name / "tokens", (1, 1))
    current = tmp_path / "current"
    current.symlink_to("old")
    tokens = opened(current / "tokens")
    assert known(tokens) == {"old"}
    current.unlink()
    current.symlink_to("new")
    await tokens.look()
    assert known(tokens) == {"new"}


async def test_a_file_that_has_not_changed_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look costs one call of the system."""
    tokens = opened(file)

    def read_tokens(text: bytes) -> Any:
        raise AssertionError("read")

    monkeypatch.setattr(token_file, "read_tokens", read_tokens)
    for _ in range(3):
        await tokens.look()


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_leaves_the_old_tokens_and_is_said_once(file: Path, trouble: str) -> None:
    """In the log and in a metric, until the file is mended; also where it is as it was before."""
    tokens = opened(file)
    stale, drop = gauge(TOKENS_STALE)
    with capture_logs() as logs:
        TROUBLES[trouble](file)
        for _ in range(3):
            await tokens.look()
        assert known(tokens) == {"old"}
        assert stale[-1] == 1
        (entry,) = logs
        assert entry["log_level"] == "error"
        assert entry["event"] == "tokens cannot be read, the old ones stay valid"
        assert str(file) in entry["error"]
        mend(file)
        await tokens.look()
    drop()
    assert known(tokens) == {"new"}
    assert (stale[-1], logs[-1]["event"]) == (0, "tokens read again")


async def test_trouble_that_is_undone_is_over(file: Path) -> None:
    """The very same file back in its place."""
    tokens = opened(file)
    aside = file.with_name("aside")
    move(file, aside)
    await tokens.look()
    move(aside, file)
    stale, drop = gauge(TOKENS_STALE)
    await tokens.look()
    drop()
    assert stale == [0]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_at_the_start_it_is_refused_in_one_line(file: Path, trouble: str) -> None:
    """With the path, and what is wrong; nothing is waited for."""
    TROUBLES[trouble](file)
    with pytest.raises(ConfigurationError) as raised:
        opened(file)
    assert str(raised.value).startswith(f"tokens file {file}: ")
    assert SAID[trouble] in str(raised.value)


def test_an_empty_file_lets_nobody_in(tmp_path: Path) -> None:
    """It is a file of tokens all the same."""
    path = tmp_path / "tokens"
    path.touch()
    count, drop = gauge(TOKENS)
    assert known(opened(path)) == set()
    drop()
    assert count == [0]


async def test_it_is_looked_at_again_and_again(file: Path, autojump_clock: MockClock) -> None:
    """Every `LOOK` seconds, until cancelled."""
    tokens = opened(file)
    looks: list[float] = []

    async def look() -> None:
        looks.append(trio.current_time())

    tokens.look = look  # type: ignore[method-assign]
    began = trio.current_time()
    with trio.move_on_after(3.5 * LOOK):
        await tokens.run()
    assert looks == [began + LOOK, began + 2 * LOOK, began + 3 * LOOK]


async def test_a_file_system_that_hangs_keeps_nobody(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look can be cancelled, and the loop goes on meanwhile."""
    tokens = opened(file)
    hanging, release, ended = threading.Event(), threading.Event(), threading.Event()

    def read(*args: Any) -> Any:
        hanging.set()
        release.wait(3)
        ended.set()
        return None, None

    monkeypatch.setattr(token_file, "_read", read)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tokens.look)
        assert await trio.to_thread.run_sync(hanging.wait, 30)
        nursery.cancel_scope.cancel()
    assert not ended.is_set()
    assert known(tokens) == {"old"}
    release.set()
