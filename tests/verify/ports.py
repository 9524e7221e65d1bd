"""Ports for programs that listen a while after they were chosen, and again after they were killed."""

import random
import socket
from contextlib import closing

_FROM, _TO = 15_000, 32_000
"""Below those that the kernel gives to connections (from 32,768 on): one of them would be taken by then."""
_given: set[int] = set()


def new_port() -> int:
    """One on 127.0.0.1 that nobody listens on, and that nobody here was given before."""
    while True:
        number = random.randint(_FROM, _TO)
        if number not in _given and is_free(number):
            _given.add(number)
            return number


def is_free(number: int) -> bool:
    """Whether nobody listens on it."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
        return True
