import pytest

from penstock.engine.errors import StoreForbidden, StoreFull, StoreRefused, StoreUnavailable
from penstock.engine.transport.errors import Moved, ScriptMissing, StoreNotReady, from_reply


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("LOADING Valkey is loading the dataset in memory", StoreNotReady),
        ("READONLY You can't write against a read only replica.", StoreNotReady),
        ("MASTERDOWN Link with MASTER is down", StoreNotReady),
        ("CLUSTERDOWN The cluster is down", StoreNotReady),
        ("TRYAGAIN Multiple keys request during rehashing of slot", StoreNotReady),
        ("ASK 3999 127.0.0.1:6381", StoreNotReady),
        ("MOVED 3999 127.0.0.1:6381", Moved),
        ("MOVED 3999", StoreRefused),
        ("MOVED", StoreRefused),
        ("BUSY Valkey is busy running a script.", StoreNotReady),
        ("NOREPLICAS Not enough good replicas to write.", StoreNotReady),
        ("MISCONF Errors writing to the AOF file: No space left on device", StoreNotReady),
        ("UNBLOCKED force unblock from blocking operation", StoreNotReady),
        ("ERR max number of clients reached", StoreNotReady),
        ("NOSCRIPT No matching script.", ScriptMissing),
        ("OOM command not allowed when used memory > 'maxmemory'.", StoreFull),
        ("BUSYGROUP Consumer Group name already exists", StoreRefused),
        ("BUSYKEY Target key name already exists.", StoreRefused),
        ("NOAUTH Authentication required.", StoreForbidden),
        ("WRONGPASS invalid username-password pair", StoreForbidden),
        ("NOPERM User default has no permissions", StoreForbidden),
        ("WRONGTYPE Operation against a key", StoreRefused),
        ("ERR unknown command", StoreRefused),
        ("", StoreRefused),
    ],
)
def test_an_error_reply_says_whether_to_try_again(text: str, kind: type[Exception]) -> None:
    """The code decides the exception, as a whole word; the text stays the message."""
    error = from_reply(text)
    assert type(error) is kind
    assert str(error) == text
    assert isinstance(error, StoreUnavailable) == issubclass(kind, StoreNotReady)


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("127.0.0.1:6381", "127.0.0.1"),
        ("::1:6381", "::1"),
        ("node.example:6381", "node.example"),
        (":6381", ""),
        ("?:6381", ""),
    ],
)
def test_a_redirection_says_where_to(endpoint: str, host: str) -> None:
    """Slot, host and port; no host or '?' means the host that was asked."""
    error = from_reply(f"MOVED 3999 {endpoint}")
    assert isinstance(error, Moved)
    assert (error.slot, error.host, error.port) == (3999, host, 6381)
