import pytest

from penstock.engine.errors import StoreFull, StoreRefused, StoreUnavailable
from penstock.engine.transport.errors import ScriptMissing, StoreNotReady, from_reply


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("LOADING Valkey is loading the dataset in memory", StoreNotReady),
        ("READONLY You can't write against a read only replica.", StoreNotReady),
        ("MASTERDOWN Link with MASTER is down", StoreNotReady),
        ("CLUSTERDOWN The cluster is down", StoreNotReady),
        ("TRYAGAIN Multiple keys request during rehashing of slot", StoreNotReady),
        ("BUSY Valkey is busy running a script.", StoreNotReady),
        ("NOREPLICAS Not enough good replicas to write.", StoreNotReady),
        ("MISCONF Errors writing to the AOF file: No space left on device", StoreNotReady),
        ("UNBLOCKED force unblock from blocking operation", StoreNotReady),
        ("ERR max number of clients reached", StoreNotReady),
        ("NOSCRIPT No matching script.", ScriptMissing),
        ("OOM command not allowed when used memory > 'maxmemory'.", StoreFull),
        ("BUSYGROUP Consumer Group name already exists", StoreRefused),
        ("BUSYKEY Target key name already exists.", StoreRefused),
        ("NOAUTH Authentication required.", StoreRefused),
        ("WRONGPASS invalid username-password pair", StoreRefused),
        ("NOPERM User default has no permissions", StoreRefused),
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
    assert isinstance(error, StoreUnavailable) == (kind is StoreNotReady)
