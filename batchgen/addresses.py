"""Which IP addresses a file may be fetched from: public ones only. Pure.

A video URL comes from outside; without this guard it could make us read a router's page, a neighbour's
database or a cloud machine's metadata, and save it as a video. The standard library's `is_global` is no
such guard: Python 3.11 calls 64:ff9b::7f00:1 and 2002:7f00:1:: (127.0.0.1 in disguise), ::127.0.0.1,
fec0::1 and 224.0.0.1 global. So: an own list, from the IANA special-purpose registries.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address

_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this network"; 0.0.0.0 reaches the machine itself
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier NAT; 100.100.100.200 is Alibaba Cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's machine agent, on an address that looks public
        "169.254.0.0/16",  # link-local; 169.254.169.254 is the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocols; 192.0.0.192 is Oracle Cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, retired
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
#: Everything public lies in here; loopback, link-local, site-local, unique-local and multicast do not.
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocols: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


def is_public(address: str | Address) -> bool:
    """Whether a file may be fetched from this address; text that is no address is not public.

    An IPv6 address that stands for an IPv4 address (mapped, compatible, 6to4, NAT64, Teredo) is as public
    as every IPv4 address in it.
    """
    try:
        literal = ip_address(address) if isinstance(address, str) else address
    except ValueError:
        return False
    if isinstance(literal, IPv4Address):
        return not any(literal in network for network in _NOT_PUBLIC_4)
    if getattr(literal, "scope_id", None):
        return False
    inner = _inside(literal)
    if inner:
        return all(is_public(address) for address in inner) and not _is_tunnel_only(literal)
    return literal in _PUBLIC_6 and not any(literal in network for network in _NOT_PUBLIC_6)


def _inside(address: IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 address carries; none for an ordinary one."""
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return list(address.teredo)
    return [last] if address in _NAT64 or address in _COMPATIBLE else []


def _is_tunnel_only(address: IPv6Address) -> bool:
    """Teredo and IPv4-compatible addresses: retired, and no file host ever had one."""
    return address.teredo is not None or address in _COMPATIBLE


def is_inside(url: str) -> bool:
    """Whether a person named a place inside by hand: localhost, or an address that is not public."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
