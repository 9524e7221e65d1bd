import pytest

from penstock.engine.errors import ConfigurationError
from penstock.engine.transport import TLS, Address, Cluster, ClusterAddress, Redis, SentinelAddress, open_link


def test_a_sentinel_url_names_sentinels_and_a_master() -> None:
    """User, password, database and options are the master's; Sentinels have a port of their own by custom."""
    url = "redis+sentinel://app:p%2Css@s1,s2:5000,[::1]/jobs/3?socket_timeout=2"
    address = SentinelAddress.parse(url)
    assert address.master == "jobs"
    assert address.server == Address(
        host="s1", port=26379, username="app", password="p,ss", db=3, reply_timeout=2.0
    )
    assert [(one.host, one.port) for one in address.sentinels] == [
        ("s1", 26379),
        ("s2", 5000),
        ("::1", 26379),
    ]
    assert {(one.username, one.password, one.db) for one in address.sentinels} == {(None, None, 0)}
    assert str(address) == "redis+sentinel://app:***@s1:26379,s2:5000,[::1]:26379/jobs/3"


def test_sentinels_have_a_login_of_their_own() -> None:
    """The master's password is not told to them."""
    url = "redis+sentinel://:theirs@s1/jobs?sentinel_username=watch&sentinel_password=mine"
    address = SentinelAddress.parse(url)
    assert [(one.username, one.password) for one in address.sentinels] == [("watch", "mine")]
    assert (address.server.username, address.server.password) == (None, "theirs")
    assert "theirs" not in f"{address} {address!r}"
    assert "mine" not in f"{address} {address!r}"


def test_a_cluster_url_names_some_of_its_nodes() -> None:
    """One would do; more of them are asked in turn."""
    address = ClusterAddress.parse("redis+cluster://:secret@n1,n2:7000/0?client_name=me")
    assert address.seeds == (
        Address(host="n1", password="secret", client_name="me"),
        Address(host="n2", port=7000, password="secret", client_name="me"),
    )
    assert str(address) == "redis+cluster://:***@n1:6379,n2:7000"
    assert "secret" not in repr(address)


def test_tls_is_for_all_of_them() -> None:
    """`rediss+…` encrypts the way to servers and Sentinels alike."""
    sentinel = SentinelAddress.parse("rediss+sentinel://s1/jobs?ssl_ca_certs=/ca.pem")
    assert {one.tls for one in (sentinel.server, *sentinel.sentinels)} == {TLS(ca_file="/ca.pem")}
    assert str(sentinel) == "rediss+sentinel://s1:26379/jobs/0"
    assert ClusterAddress.parse("rediss+cluster://n1").seeds[0].tls == TLS()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis+sentinel://u:secret@s1", "names no master"),
        ("redis+sentinel://u:secret@/jobs", "hosts is empty"),
        ("redis+sentinel://u:secret@s1,,s2/jobs", "hosts is empty"),
        ("redis+sentinel://u:secret@s1:port/jobs", "malformed"),
        ("redis+sentinel://u:sec/ret@s1/jobs", "malformed"),
        ("redis+sentinel://u:secret@[::1/jobs", "malformed"),
        ("redis+sentinel://u:secret@s1/jobs/zero", "'zero' is not a number"),
        ("redis+sentinel://u:secret@s1/jobs?socket_tiemout=3", "'socket_tiemout' has no meaning"),
        ("redis+sentinel://u:secret@s1/jobs?host=s2", "'host' has no meaning"),
        ("redis+sentinel://s1/jobs?sentinel_password=secret&port=1", "'port' has no meaning"),
        ("redis+cluster://u:secret@n1/3", "database 0 only"),
        ("redis+cluster://u:secret@n1?db=3", "database 0 only"),
        ("redis+cluster://u:secret@n1?sentinel_password=secret", "has no meaning"),
        ("redis+cluster://u:secret@", "hosts is empty"),
        ("redis+nonsense://u:secret@n1", "names several"),
    ],
)
def test_an_unusable_url_is_refused_with_the_reason(url: str, reason: str) -> None:
    """The error says what was expected and never shows a part of a password."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        open_link(url)
    assert "sec" not in str(caught.value)
    assert "Expected redis" in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_url_chooses_the_link() -> None:
    """One function for whoever has a URL; nothing is connected yet."""
    assert isinstance(open_link("redis://h"), Redis)
    assert isinstance(open_link("unix:///s"), Redis)
    sentinel = open_link("redis+sentinel://s1/jobs")
    assert isinstance(sentinel, Redis)
    assert isinstance(sentinel.address, SentinelAddress)
    assert isinstance(open_link("rediss+cluster://n1"), Cluster)
