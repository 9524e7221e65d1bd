import pytest

from penstock.engine.errors import ConfigurationError
from penstock.engine.transport import TLS, Address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://", Address()),
        ("redis://db.example:7000/3", Address(host="db.example", port=7000, db=3)),
        ("redis://h?db=4", Address(host="h", db=4)),
        ("redis://:p%40ss@h", Address(host="h", password="p@ss")),
        ("redis://app:secret@h", Address(host="h", username="app", password="secret")),
        ("redis://[::1]:7000", Address(host="::1", port=7000)),
        ("unix:///run/redis.sock?db=2", Address(path="/run/redis.sock", db=2)),
        ("rediss://h", Address(host="h", tls=TLS())),
        (
            "rediss://h?ssl_ca_certs=/ca.pem&ssl_check_hostname=no",
            Address(host="h", tls=TLS(ca_file="/ca.pem", check_hostname=False)),
        ),
        (
            "redis://h?socket_timeout=2.5&socket_connect_timeout=1&client_name=me",
            Address(host="h", reply_timeout=2.5, connect_timeout=1.0, client_name="me"),
        ),
    ],
)
def test_a_url_means_what_it_means_to_redis_py(url: str, address: Address) -> None:
    """Scheme, user, host, port, database and options become the fields of the same meaning."""
    assert Address.parse(url) == address


@pytest.mark.parametrize("scheme", ["redis+sentinel", "rediss+cluster"])
def test_several_servers_are_no_address_of_one(scheme: str) -> None:
    """Whoever asks for one server is told what takes the others."""
    with pytest.raises(ConfigurationError, match=r"names several servers .* open_link") as caught:
        Address.parse(f"{scheme}://:secret@h:26379/main")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@h",
        "redis://user:secret@h:port",
        "redis://user:sec/ret@h",
        "redis://user:secret@h/zero",
        "redis://user:secret@h?db=zero",
        "redis://user:secret@h?socket_tiemout=3",
        "redis://user:secret@h?ssl_ca_certs=/ca.pem",
        "unix://?password=secret",
        "",
    ],
)
def test_an_unusable_url_is_refused_with_the_remedy(url: str) -> None:
    """The error names the URL and what was expected, and never shows a part of the password."""
    with pytest.raises(ConfigurationError, match="Expected redis://") as caught:
        Address.parse(url)
    assert "sec" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("url", ["redis://u:secret@h:1/2", "redis://:secret@h", "unix:///s?password=secret"])
def test_an_address_never_shows_its_password(url: str) -> None:
    """`str`, `repr` and formatting are safe to log."""
    address = Address.parse(url)
    assert address.password == "secret"
    assert "secret" not in f"{address} {address!r}"


def test_an_address_shows_everything_else() -> None:
    """Whoever reads an error sees which server and database it speaks of."""
    assert str(Address.parse("rediss://u:x@h:1/2")) == "rediss://u:***@h:1/2"
    assert str(Address.parse("redis://[::1]")) == "redis://[::1]:6379/0"
    assert str(Address.parse("unix:///s?db=3")) == "unix:///s?db=3"
