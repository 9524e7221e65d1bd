"""A link whose calls are operations: one client span a call, by the database conventions.

Not for the store's own link, unless somebody looks for something: a span costs more than its share of a
batch. `metrics.py` counts every link's calls anyway.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.operation import Operation, Value
from penstock.engine.seams import AroundOperation
from penstock.engine.transport.address import Address
from penstock.engine.transport.addresses import SentinelAddress
from penstock.engine.transport.connection import Connection, Timeout
from penstock.engine.transport.link import Inbox, Link
from penstock.engine.transport.operation_name import command_name, pipeline_name
from penstock.engine.transport.script import Script
from penstock.engine.transport.sending import RETRY_FOR
from penstock.engine.transport.wire import Argument, Command, Reply, Traffic

Answer = TypeVar("Answer")


class Traced:
    """Implements `Link` on another one; each `execute`, `pipeline` and `script` is wrapped in `around`.

    A call is one span whatever it took: tries, reconnections and redirections are inside. It shows names of
    commands and scripts, how many were sent at once, the server and the code of an error reply; never a key,
    an argument or a reply's text. What is done on a reserved connection or a subscription is not shown.
    """

    def __init__(self, link: Link, around: AroundOperation) -> None:
        self._link = link
        self._around = around
        self._where = _server(link.address)

    @property
    def address(self) -> object:
        """See `Link.address`."""
        return self._link.address

    @property
    def traffic(self) -> Traffic:
        """See `Link.traffic`."""
        return self._link.traffic

    @property
    def connects(self) -> int:
        """See `Link.connects`."""
        return self._link.connects

    @property
    def up(self) -> bool:
        """See `Link.up`."""
        return self._link.up

    async def execute(
        self, *command: Argument, timeout: Timeout = ..., retry_for: float = RETRY_FOR
    ) -> Reply:
        """See `Link.execute`."""
        name = command_name(command)

        async def call(_operation: Operation) -> Reply:
            return await self._link.execute(*command, timeout=timeout, retry_for=retry_for)

        return await self._observed(self._operation(name, name), call)

    async def pipeline(
        self, commands: Sequence[Command], *, timeout: Timeout = ..., retry_for: float = RETRY_FOR
    ) -> list[Reply]:
        """See `Link.pipeline`; a refusal among the replies marks the span as failed."""
        if not commands:
            return []
        name = pipeline_name(commands)
        operation = self._operation(name, name)
        if len(commands) > 1:
            operation.attributes["db.operation.batch.size"] = len(commands)

        async def call(operation: Operation) -> list[Reply]:
            replies = await self._link.pipeline(commands, timeout=timeout, retry_for=retry_for)
            for reply in replies:
                if isinstance(reply, StoreRefused):
                    _note(operation, reply)
                    break
            return replies

        return await self._observed(operation, call)

    async def script(
        self,
        script: Script,
        keys: Sequence[str | bytes] = (),
        args: Sequence[Argument] = (),
        *,
        timeout: Timeout = ...,
        retry_for: float = RETRY_FOR,
    ) -> Reply:
        """See `Link.script`."""
        operation = self._operation(f"EVALSHA {script.name}", "EVALSHA")
        operation.attributes["db.stored_procedure.name"] = script.name

        async def call(_operation: Operation) -> Reply:
            return await self._link.script(script, keys, args, timeout=timeout, retry_for=retry_for)

        return await self._observed(operation, call)

    def reserve(self, key: str) -> AbstractAsyncContextManager[Connection]:
        """See `Link.reserve`."""
        return self._link.reserve(key)

    def subscribe(self, *channels: str | bytes) -> AbstractAsyncContextManager[Inbox]:
        """See `Link.subscribe`."""
        return self._link.subscribe(*channels)

    async def aclose(self) -> None:
        """See `Link.aclose`."""
        await self._link.aclose()

    def _operation(self, name: str, operation_name: str) -> Operation:
        attributes: dict[str, Value] = {"db.operation.name": operation_name, **self._where}
        return Operation(name=name, kind="client", attributes=attributes)

    async def _observed(self, operation: Operation, call: Callable[[Operation], Awaitable[Answer]]) -> Answer:
        with self._around(operation):
            try:
                return await call(operation)
            except (StoreUnavailable, StoreRefused) as error:
                # Not out of the block: a reply's text may quote arguments, and would be on the span.
                _note(operation, error)
                failure = error
        raise failure


def _note(operation: Operation, error: StoreUnavailable | StoreRefused) -> None:
    kind = type(error)
    operation.error_type = f"{kind.__module__}.{kind.__qualname__}"
    code = str(error.__cause__ or error).partition(" ")[0]
    if code.isalpha() and code.isupper():  # as error replies begin; our own sentences do not
        operation.attributes["db.response.status_code"] = code


def _server(address: object) -> dict[str, Value]:
    """What is known of the server before it is asked; of several, only what they share."""
    where: dict[str, Value] = {"db.system.name": "redis", "db.namespace": "0"}
    server = address.server if isinstance(address, SentinelAddress) else address
    if isinstance(server, Address):
        where["db.namespace"] = str(server.db)
    if isinstance(address, Address):
        where["server.address"] = address.path or address.host
        if address.path is None:
            where["server.port"] = address.port
    return where
