"""Cutting a stream into the elements of a batch: lines of NDJSON, elements of a JSON array."""

import re
from collections.abc import Iterator
from typing import Protocol, TypeAlias

from penstock.engine.errors import PayloadTooLarge
from penstock.http.problems import MALFORMED_JSON, Refused
from penstock.http.schemas import too_large

Numbered: TypeAlias = tuple[int, bytes | PayloadTooLarge]
"""The number of an element, from 1, and its bytes, or that it is too long."""


class Splitter(Protocol):
    """Takes bytes as they come and gives every element as soon as it is whole."""

    def feed(self, data: bytes) -> Iterator[Numbered]:
        """The elements that `data` completes."""
        ...

    def end(self) -> Iterator[Numbered]:
        """What is left when the stream has ended; raises `Refused` if that cannot be."""
        ...


class LineSplitter:
    """NDJSON: one element a line, blank lines counted but left out.

    Of a line that exceeds `limit` bytes nothing is kept; it counts as one bad element.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._number = 0
        self._rest = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> Iterator[Numbered]:
        """The lines that `data` completes."""
        first, *others = data.split(b"\n")
        self._keep(first)
        for line in others:
            yield from self._line()
            self._keep(line)

    def end(self) -> Iterator[Numbered]:
        """The last line, where no newline ends it."""
        if self._rest or self._overlong:
            yield from self._line()

    def _keep(self, part: bytes) -> None:
        if len(self._rest) + len(part) > self._limit:
            self._overlong = True
            self._rest.clear()
        elif not self._overlong:
            self._rest += part

    def _line(self) -> Iterator[Numbered]:
        self._number += 1
        if self._overlong:
            yield self._number, too_large("this line", self._limit)
        elif line := self._rest.strip():
            yield self._number, bytes(line)
        self._overlong = False
        self._rest.clear()


# A whole string, the start of one that is not whole yet, or structure.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)


class ArraySplitter:
    """A JSON array, cut at its own commas without decoding; what lies between them is not judged.

    An element that exceeds `limit` bytes ends the batch: where it ends is not worth looking for.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._number = 0
        self._depth: int | None = None  # None before the array, 0 behind it
        self._rest = b""
        self._scanned = 0

    def feed(self, data: bytes) -> Iterator[Numbered]:
        """The elements that `data` completes; raises `Refused` where there is no array."""
        text = self._rest + data
        if self._depth is None:
            text = self._open(text)
        start, scanned = 0, len(text)
        for token in _TOKEN.finditer(text, self._scanned) if self._depth else ():
            if token[0] == b'"':
                scanned = token.start()  # the string goes on in the next piece of data
                break
            if self._cuts(token[0]):
                yield from self._element(text[start : token.start()].strip())
                start = token.end()
                if not self._depth:
                    break
        self._rest, self._scanned = text[start:], scanned - start
        self._check(self._rest)

    def end(self) -> Iterator[Numbered]:
        """Nothing; raises `Refused` where the array is not closed, or something follows it."""
        if self._depth != 0 or self._rest.strip():
            raise Refused(MALFORMED_JSON, "JSON is malformed: the array does not end where the body does")
        return iter(())

    def _open(self, text: bytes) -> bytes:
        text = text.lstrip()
        if text and not text.startswith(b"["):
            raise Refused(MALFORMED_JSON, "JSON is malformed: expected an array of submissions")
        self._depth = 1 if text else None
        return text[1:]

    def _cuts(self, token: bytes) -> bool:
        """Whether `token` parts two elements of the array, or closes it."""
        assert self._depth is not None
        if token in b"[{":
            self._depth += 1
        elif token in b"]}":
            self._depth -= 1
        return self._depth == 0 or (self._depth == 1 and token == b",")

    def _element(self, text: bytes) -> Iterator[Numbered]:
        self._check(text)
        if text or self._depth or self._number:  # `[]` has none; `[1,]` has an empty one, which is bad
            self._number += 1
            yield self._number, text

    def _check(self, text: bytes) -> None:
        if len(text) > self._limit:
            raise too_large("this element", self._limit)
