"""One connection through the proxy, and what goes wrong with it."""

from collections.abc import Callable

import trio

from benchmarks.chaos.misfortune import Misfortune, Mishap


class Line:
    """Carries bytes both ways between a client and the server until either closes, or the mishap comes.

    `note` hears of each mishap when it has happened, not when it was drawn.
    """

    def __init__(
        self,
        client: trio.abc.Stream,
        server: trio.abc.Stream,
        misfortune: Misfortune,
        note: Callable[[Mishap], None],
    ) -> None:
        self._client = client
        self._server = server
        self._misfortune = misfortune
        self._note = note
        self._next: Mishap = "none"  # what befalls the next request, or the next reply
        self._late = 0.0
        self._silent = False
        self._moving = trio.Event()
        self._moving.set()
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Carry until the connection has ended; both ends are closed then."""
        try:
            with self._scope:
                async with self._client, self._server, trio.open_nursery() as nursery:
                    nursery.start_soon(self._requests)
                    nursery.start_soon(self._replies)
                    nursery.start_soon(self._mishap)
        except* trio.BrokenResourceError:
            pass  # one end was killed: what else should it be

    def cut(self) -> None:
        """Close both ends at once."""
        self._scope.cancel()

    def silence(self) -> None:
        """Let nothing through any more; neither end is told."""
        self._silent = True

    async def _requests(self) -> None:
        while data := await self._client.receive_some():
            await self._held_up()
            if self._silent:
                continue
            if self._next == "cut_request":
                await self._server.send_all(data[: len(data) // 2])
                self._cut_with("cut_request")
            await self._server.send_all(data)
        self._scope.cancel()

    async def _replies(self) -> None:
        while data := await self._server.receive_some():
            await self._held_up()
            if self._next == "cut_reply":
                self._cut_with("cut_reply")
            if not self._silent:
                await self._client.send_all(data)
        if not self._silent:
            self._scope.cancel()

    async def _held_up(self) -> None:
        await self._moving.wait()
        if self._late:
            await trio.sleep(self._late)

    def _cut_with(self, mishap: Mishap) -> None:
        """Close both ends; the next checkpoint of whoever calls this is its last, and sends nothing."""
        self._note(mishap)
        self._scope.cancel()

    async def _mishap(self) -> None:
        fate = self._misfortune
        if fate.kind == "none":
            return
        await trio.sleep(fate.after)
        match fate.kind:
            case "cut":
                self._cut_with("cut")
            case "cut_request" | "cut_reply":
                self._next = fate.kind
            case "silence":
                self._note("silence")
                self.silence()
            case _:
                self._note(fate.kind)
                await self._slow_down(fate)

    async def _slow_down(self, fate: Misfortune) -> None:
        if fate.kind == "delay":
            self._late = fate.late
        else:
            self._moving = trio.Event()
        await trio.sleep(fate.seconds)
        self._late = 0.0
        self._moving.set()
