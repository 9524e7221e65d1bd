"""The three ways to send, the same on every link: each is a try that the link repeats as it sees fit."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from types import TracebackType
from typing import Self, TypeVar

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport.connection import Connection, Timeout
from penstock.engine.transport.errors import ScriptMissing
from penstock.engine.transport.metrics import COMMAND_SECONDS, count_error
from penstock.engine.transport.operation_name import command_name, pipeline_name
from penstock.engine.transport.script import Script
from penstock.engine.transport.wire import Argument, Command, Reply

RETRY_FOR = 3.0
"""Seconds in which a call is sent again, where it does not say otherwise."""

Answer = TypeVar("Answer")


class Sending(ABC):
    """`Link.execute`, `pipeline` and `script`, on what a subclass does to get a try answered.

    Used as a context manager, it is closed at the end of the block.
    """

    async def execute(
        self, *command: Argument, timeout: Timeout = ..., retry_for: float = RETRY_FOR
    ) -> Reply:
        """Send one command and return its reply; `timeout` is for each reply, see `Timeout`.

        Raises `StoreRefused` for an error reply, `StoreUnavailable` when there was no answer.
        """

        async def once(connection: Connection) -> Reply:
            started = perf_counter()
            reply = await connection.execute(*command, timeout=timeout)
            COMMAND_SECONDS.observe(perf_counter() - started, operation=command_name(command))
            return reply

        return await self._persist(once, retry_for, command)

    async def pipeline(
        self,
        commands: Sequence[Command],
        *,
        timeout: Timeout = ...,
        retry_for: float = RETRY_FOR,
    ) -> list[Reply]:
        """Send commands in one write and return their replies; `StoreRefused` objects are among them.

        All are sent again when any answer is lost or "not now". Raises `StoreUnavailable`.
        """

        async def once(connection: Connection) -> list[Reply]:
            started = perf_counter()
            replies = await connection.pipeline(commands, timeout=timeout)
            COMMAND_SECONDS.observe(perf_counter() - started, operation=pipeline_name(commands))
            for reply in replies:
                if isinstance(reply, StoreUnavailable):
                    raise reply
                if isinstance(reply, StoreRefused):
                    count_error(reply)
            return replies

        if not commands:
            return []
        return await self._persist(once, retry_for, commands[0])

    async def script(
        self,
        script: Script,
        keys: Sequence[str | bytes] = (),
        args: Sequence[Argument] = (),
        *,
        timeout: Timeout = ...,
        retry_for: float = RETRY_FOR,
    ) -> Reply:
        """Run a script by its digest, or by its source where the server does not know it yet.

        Raises as `execute` does.
        """
        operands = (len(keys), *keys, *args)

        async def once(connection: Connection) -> Reply:
            started = perf_counter()
            try:
                reply = await connection.execute("EVALSHA", script.sha1, *operands, timeout=timeout)
            except ScriptMissing:
                reply = await connection.execute("EVAL", script.source, *operands, timeout=timeout)
            COMMAND_SECONDS.observe(perf_counter() - started, operation=script.name)
            return reply

        return await self._persist(once, retry_for, operands)

    @abstractmethod
    async def aclose(self) -> None:
        """Close for good; calls in flight and later ones raise `StoreUnavailable`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @abstractmethod
    async def _persist(
        self, once: Callable[[Connection], Awaitable[Answer]], retry_for: float, words: Sequence[Argument]
    ) -> Answer:
        """Have `once` answered within `retry_for` seconds; `words` tell the key, see `routing_key`."""
