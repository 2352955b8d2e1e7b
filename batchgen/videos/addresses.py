"""How far away an IP address is, and so whether a file may be fetched from it. Pure.

A video URL comes from outside; without this guard it could make us read a router's page, a neighbour's
database or a cloud machine's metadata, and save it as a video. The standard library's `is_global` is no
such guard: Python 3.11 calls 64:ff9b::7f00:1 and 2002:7f00:1:: (127.0.0.1 in disguise), ::127.0.0.1,
fec0::1 and 224.0.0.1 global. So: an own list, from the IANA special-purpose registries.
"""

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address


class Reach(Enum):
    """PUBLIC: anybody's. LOOPBACK: this machine. PRIVATE: this network. NEVER: metadata, link-local, multicast,
    documentation, reserved: nobody's files lie there.
    """

    PUBLIC = "public"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    NEVER = "never"


#: The first network that holds an address decides; an address in none of them is public.
_IPV4 = tuple(
    (IPv4Network(network), reach)
    for network, reach in (
        ("0.0.0.0/32", Reach.LOOPBACK),  # reaches the machine itself
        ("0.0.0.0/8", Reach.NEVER),  # "this network"
        ("10.0.0.0/8", Reach.PRIVATE),
        ("100.100.100.200/32", Reach.NEVER),  # Alibaba Cloud's metadata
        ("100.64.0.0/10", Reach.PRIVATE),  # carrier NAT
        ("127.0.0.0/8", Reach.LOOPBACK),
        ("168.63.129.16/32", Reach.NEVER),  # Azure's machine agent, on an address that looks public
        ("169.254.0.0/16", Reach.NEVER),  # link-local; 169.254.169.254 is the metadata of most clouds
        ("172.16.0.0/12", Reach.PRIVATE),
        ("192.0.0.0/24", Reach.NEVER),  # IETF protocols; 192.0.0.192 is Oracle Cloud's metadata
        ("192.0.2.0/24", Reach.NEVER),  # documentation
        ("192.88.99.0/24", Reach.NEVER),  # 6to4 relays, retired
        ("192.168.0.0/16", Reach.PRIVATE),
        ("198.18.0.0/15", Reach.NEVER),  # benchmarks
        ("198.51.100.0/24", Reach.NEVER),  # documentation
        ("203.0.113.0/24", Reach.NEVER),  # documentation
        ("224.0.0.0/4", Reach.NEVER),  # multicast
        ("240.0.0.0/4", Reach.NEVER),  # reserved, broadcast
    )
)
#: The same; the last line stands for everything that is not said otherwise: only 2000::/3 is public.
_IPV6 = tuple(
    (IPv6Network(network), reach)
    for network, reach in (
        ("::/128", Reach.LOOPBACK),
        ("::1/128", Reach.LOOPBACK),
        ("fd00:ec2::254/128", Reach.NEVER),  # Amazon's metadata
        ("fc00::/7", Reach.PRIVATE),
        ("2001::/23", Reach.NEVER),  # IETF protocols: Teredo, ORCHID, benchmarks
        ("2001:db8::/32", Reach.NEVER),  # documentation
        ("3fff::/20", Reach.NEVER),  # documentation
        ("2000::/3", Reach.PUBLIC),
        ("::/0", Reach.NEVER),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


def reach(address: str | Address) -> Reach:
    """How far away an address is; NEVER for text that is no address.

    An IPv6 address that stands for an IPv4 address is as far as that one (mapped), or public when that one is
    (6to4, NAT64). Teredo and IPv4-compatible addresses are retired: no file host ever had one.
    """
    try:
        literal = ip_address(address) if isinstance(address, str) else address
    except ValueError:
        return Reach.NEVER
    if isinstance(literal, IPv4Address):
        return next((reach for network, reach in _IPV4 if literal in network), Reach.PUBLIC)
    if literal.scope_id:
        return Reach.NEVER
    if literal.ipv4_mapped:
        return reach(literal.ipv4_mapped)
    inner = literal.sixtofour or (IPv4Address(int(literal) & 0xFFFFFFFF) if literal in _NAT64 else None)
    if inner:
        return Reach.PUBLIC if reach(inner) is Reach.PUBLIC else Reach.NEVER
    return next(reach for network, reach in _IPV6 if literal in network)


def reach_of_url(url: str) -> Reach:
    """How far away a URL is that a person wrote by hand, as far as can be told without asking a resolver."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return Reach.PUBLIC
    if is_literal(host):
        return reach(host)
    if host == "localhost" or host.endswith(".localhost"):
        return Reach.LOOPBACK
    return Reach.PRIVATE if is_local_name(host) and not _is_number(host) else Reach.PUBLIC


def is_literal(host: str) -> bool:
    """Whether a URL's host is an address itself."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


#: Names that a resolver answers from the machine or the house it stands in.
_LOCAL_NAMES = ("localhost", "local", "internal", "lan", "home.arpa", "localdomain", "intranet")


def is_local_name(host: str) -> bool:
    """A name that only means something nearby, or a number that libraries read as an address (127.1)."""
    name = host.lower().rstrip(".")
    local = any(name == word or name.endswith("." + word) for word in _LOCAL_NAMES) or "." not in name
    return local or _is_number(name)


def _is_number(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return last.isdigit() or last.startswith("0x")
