"""A server too old for us, or one that lies about itself: as much RESP as it takes to find that out."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import IO

NO_SHEBANG = "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'"


def _command(stream: IO[bytes]) -> list[str]:
    """One command as clients send it, upper-case name first."""
    head = stream.readline()
    words: list[str] = []
    for _ in range(int(head[1:] or 0)):
        length = int(stream.readline()[1:])
        words.append(stream.read(length + 2)[:-2].decode())
    return [words[0].upper(), *words[1:]] if words else []


def _answer(command: list[str], info: str, time: tuple[int, int]) -> str:
    match command[0]:
        case "PING":
            return "+PONG"
        case "INFO":
            return f"${len(info)}\r\n{info}"
        case "TIME":
            return f"*2\r\n${len(str(time[0]))}\r\n{time[0]}\r\n${len(str(time[1]))}\r\n{time[1]}"
        case "EVALSHA":
            return "-NOSCRIPT No matching script. Please use EVAL."
        case "EVAL":
            return NO_SHEBANG if command[1].startswith("#!") else "*0"
        case "SADD" | "SMEMBERS":
            return "*0" if command[0] == "SMEMBERS" else ":1"
        case _:
            return f"-ERR unknown command '{command[0].lower()}'"


@contextmanager
def scripted_server(info: str, time: tuple[int, int] = (0, 0)) -> Generator[str]:
    """A server whose INFO is `info` and whose clock shows `time` (seconds, microseconds); gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def converse(connection: socket.socket) -> None:
            with suppress(OSError, ValueError), connection, connection.makefile("rb") as stream:
                while command := _command(stream):
                    connection.sendall(_answer(command, info, time).encode() + b"\r\n")

        def accept() -> None:
            with suppress(OSError):  # the test is over
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=converse, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
