"""Which addresses are the public internet's, and which hosts a pattern covers."""

import pytest

from penstock.engine.errors import ConfigurationError
from penstock.engine.outgoing.addresses import why_refused
from penstock.engine.outgoing.call import make_call
from penstock.engine.outgoing.hosts import HostPatterns

PRIVATE = [
    "0.0.0.0", "127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "168.63.129.16", "100.64.0.1", "100.100.100.200", "192.0.0.8", "192.0.0.192",
    "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1",
    "ff02::1", "2001:db8::1",
]  # fmt: skip
CARRIERS = [
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::",
    "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::5db8:d822"]


@pytest.mark.parametrize("address", [*PRIVATE, *CARRIERS])
def test_an_address_that_is_not_the_internets_is_refused(address: str) -> None:
    """Also where an IPv6 address carries it inside."""
    assert why_refused(address) is not None


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_not_refused(address: str) -> None:
    """Those just outside of a private network are public."""
    assert why_refused(address) is None


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "0x7f.1"])
def test_what_is_no_address_is_no_public_one(text: str) -> None:
    """It raises, so that nobody takes it for public."""
    with pytest.raises(ValueError, match="does not appear to be"):
        why_refused(text)


@pytest.mark.parametrize(
    ("host", "pattern"),
    [
        ("api.example.com", "api.example.com"),
        ("eu.api.example.com", ".api.example.com"),
        ("www.example.com", ".example.com"),
        ("example.com", None),
        ("notexample.com", None),
        ("example.com.evil.org", None),
        ("2606:4700::1111", "2606:4700::1111"),
    ],
)
def test_a_pattern_covers_a_host_or_what_is_below_it(host: str, pattern: str | None) -> None:
    """The narrowest wins; a name that merely ends alike is another."""
    patterns = HostPatterns([".example.com", "api.example.com", ".api.example.com", "2606:4700::1111"])
    assert patterns.match(host) == pattern


def test_a_star_covers_every_host() -> None:
    """Alone, not within a pattern."""
    assert HostPatterns(["*"]).match("anywhere.org") == "*"


@pytest.mark.parametrize(
    "pattern", ["https://a.org", "a.org:443", "*.a.org", "A.org", "a.org.", "", "a..org", "a.org/x"]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """With what is expected in its words."""
    with pytest.raises(ConfigurationError, match=r"expected api\.example\.com"):
        HostPatterns([pattern])


@pytest.mark.parametrize("url", ["https://BÜCHER.example./", "https://xn--bcher-kva.example:443/"])
def test_a_host_is_matched_as_it_travels(url: str) -> None:
    """However it is written in a URL."""
    call = make_call("GET", url, None, None, None, b"", show_paths=True)
    assert (call.host, call.port) == ("xn--bcher-kva.example", 443)
