"""Which addresses are the public internet's.

The rule is a list of our own beside `ipaddress.is_global`, whose answers differ between releases of Python
(3.11.3 calls 192.0.0.8 public, later ones do not) and which knows nothing of what an address carries inside.
Networks are those of the IANA special-purpose registries (RFC 6890 and its updates, as of 2026).
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_REFUSED = [
    (ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's metadata"),  # Azure's, the one that lies among public addresses
        ("169.254.0.0/16", "link-local, where clouds have their metadata"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("224.0.0.0/4", "multicast"),
        ("::1/128", "loopback"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
]
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
"""RFC 6052 and RFC 8215; both carry an IPv4 address in their last 32 bits (the second one usually)."""
_COMPATIBLE = ip_network("::/96")


def why_refused(address: str) -> str | None:
    """Why an address is not the public internet's, in a few words; None where it is.

    Of an IPv6 address that carries an IPv4 address inside both are looked at. Raises `ValueError` for what
    is no address.
    """
    parsed = ip_address(address.partition("%")[0])
    for each in (parsed, *_inside(parsed)):
        for network, why in _REFUSED:
            if each.version == network.version and each in network:
                return why
    inside = _inside(parsed)
    if inside:  # a translation; what it leads to is what counts
        return None if all(each.is_global for each in inside) else "reserved"
    return None if parsed.is_global else "reserved"


def _inside(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses that an IPv6 address leads to: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _COMPATIBLE or any(address in network for network in _NAT64):
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [each for each in found if each is not None]
