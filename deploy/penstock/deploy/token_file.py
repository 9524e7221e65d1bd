"""The file of the API's tokens: read at the start, and again whenever it has changed."""

import stat
from functools import partial
from pathlib import Path
from typing import NamedTuple

import trio
from structlog.typing import FilteringBoundLogger

from penstock.engine.errors import ConfigurationError
from penstock.http.metrics import TOKENS, TOKENS_STALE
from penstock.http.token_book import TokenBook, read_tokens
from penstock.http.tokens import Token

LOOK = 2.0
"""Seconds between looks whether the file has changed; how long a token that was taken back still works."""
LARGEST = 1 << 20
"""Bytes, some 4,000 tokens. Reading so many keeps the interpreter's lock for milliseconds, in a thread."""


class _Mark(NamedTuple):
    """What differs where a file was written, or another one put in its place, behind whatever links."""

    device: int
    inode: int
    size: int
    changed: int


class TokenFile:
    """The tokens of a file, as they were when it could last be read."""

    def __init__(self, path: Path, log: FilteringBoundLogger) -> None:
        """Read it; raises `ConfigurationError` where that is not possible."""
        self._path = path
        self._log = log
        self._limiter = trio.CapacityLimiter(1)
        self._trouble: str | None = None
        self._mark: _Mark | None = None
        self._mark, tokens = _read(path, None)
        self._use(tokens or [])

    def find(self, secret: bytes) -> Token | None:
        """The token of a secret, expired or not."""
        return self._book.find(secret)

    async def run(self) -> None:
        """Look at the file until cancelled; what is wrong with a new one is logged, and the old ones hold."""
        while True:
            await trio.sleep(LOOK)
            await self.look()

    async def look(self) -> None:
        """Look once, in a thread, which is left behind if cancelled: file systems may take their time."""
        read = partial(_read, self._path, self._mark)
        try:
            mark, tokens = await trio.to_thread.run_sync(read, abandon_on_cancel=True, limiter=self._limiter)
        except ConfigurationError as error:
            self._keep(str(error))
            return
        self._mark = mark
        if tokens is not None:
            self._use(tokens)
            self._log.info("tokens read again", file=str(self._path), count=len(tokens))

    def _use(self, tokens: list[Token]) -> None:
        self._book = TokenBook(tokens)
        self._trouble = None
        TOKENS.set(len(tokens))
        TOKENS_STALE.set(0)

    def _keep(self, trouble: str) -> None:
        """Go on with what there is; said once for each trouble."""
        TOKENS_STALE.set(1)
        self._mark = None  # so that a file put back as it was counts as read again
        if trouble != self._trouble:
            self._log.error("tokens cannot be read, the old ones stay valid", error=trouble)
        self._trouble = trouble


def _read(path: Path, known: _Mark | None) -> tuple[_Mark, list[Token] | None]:
    """What the file is like, and its tokens unless it is as `known`."""
    try:
        found = path.stat()  # before it is read: what changes meanwhile is seen the next time
        mark = _Mark(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        return mark, None if mark == known else read_tokens(_content(path, found.st_mode))
    except OSError as error:
        raise ConfigurationError(f"tokens file {path}: {error.strerror or error}") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"tokens file {path}: {error}") from error


def _content(path: Path, mode: int) -> bytes:
    if not stat.S_ISREG(mode):  # others may block for ever, or have no end
        raise ConfigurationError("it is no file")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ConfigurationError(f"it is larger than {LARGEST:,} bytes")
    return content
