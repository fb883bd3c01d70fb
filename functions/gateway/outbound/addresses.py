"""Which addresses a provider may have: public ones, over TLS, so that a row cannot reach private networks.

`check_url` checks what an operator wrote; `check_addresses` checks the addresses of a name just before connecting,
and only these are connected to. Networks: IANA's IPv4 and IPv6 special-purpose registries.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]
"""`(host, port)` → IP addresses, best first."""


class AddressRefused(ValueError):
    """The address is not one a provider may have; the message is a sentence for the operator."""


class UnknownHost(OSError):
    """No name server knows the name: it is misspelt, and looking again does not help."""


FORBIDDEN_IPV4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by carriers; some clouds keep metadata there
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's host, public by number only
            "169.254.0.0/16",  # link-local: metadata and credentials of every cloud
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
# Everything else of IPv6 is loopback, local, multicast, reserved, or an IPv4 address in disguise.
PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
FORBIDDEN_IPV6 = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments; Teredo carries IPv4 addresses
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4 carries IPv4 addresses
            "3fff::/20",  # documentation
        ),
    )
)

UNKNOWN = {socket.EAI_NONAME, socket.EAI_NODATA}
"""What the resolver says of names without an address; EAI_AGAIN is a name server that does not answer."""

_AUTHORITY = re.compile(r"^[^/]*//([^/?#]*).*$", re.DOTALL)
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*", re.IGNORECASE)
_ENDS_IN_A_NUMBER = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)$", re.IGNORECASE)


def check_url(url: str, *, allow_loopback: bool = False) -> None:
    """Raises `AddressRefused` unless the URL is `https://host[:port][/path]` and its host may be public.

    With `allow_loopback`, `http` is permitted too, but only to the machine itself. A name is not resolved here: what
    it leads to may change, so it is checked whenever a connection is made.
    """
    _check_userinfo(url)
    _check_characters(url)
    parts = _split(url)
    _check_parts(url, parts)
    host = parts.hostname or ""
    address = literal_address(host)
    if address is not None:
        _check_address(host, address, allow_loopback=allow_loopback)
    elif is_local_name(host) and not allow_loopback:
        raise AddressRefused(f"{host} is this machine; a provider needs a public address.")
    if parts.scheme == "http":
        _check_plain_http(url, host, address, allow_loopback=allow_loopback)


def resolve_by_system(host: str, port: int) -> list[str]:
    """IP addresses of a host, without duplicates, in the system's order; raises `OSError` if there are none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a name that no name server can have, such as one with an empty label
        raise UnknownHost(f"{host} is no name of a host") from error
    except socket.gaierror as error:
        raise (UnknownHost(f"no name server knows {host}") if error.errno in UNKNOWN else error) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def check_addresses(host: str, addresses: Iterable[str], *, allow_loopback: bool = False) -> None:
    """Raises `AddressRefused` unless every IP address behind a host is one that it may lead to.

    A public name with a private address may be an attack. So may `localhost` with another address: plain HTTP is
    allowed to it, and keys and texts must not leave this machine unencrypted.
    """
    literal = literal_address(host)
    local = literal.is_loopback if literal else is_local_name(host)
    for address in map(ipaddress.ip_address, addresses):
        if local and not address.is_loopback:
            raise AddressRefused(f"{host} leads to {address}, which is not this machine.")
        _check_address(host, address, allow_loopback=allow_loopback and local)


def literal_address(host: str) -> Address | None:
    """The IP address a host is written as, `None` if it is a name.

    Raises `AddressRefused` for what some resolvers take for an address: `2130706433`, `0x7f.1`, `0177.0.0.1`.
    """
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        if ":" in host or _ENDS_IN_A_NUMBER.search(host.rstrip(".")):
            raise AddressRefused(f"{host} is not a plain IP address; write it as four decimal numbers.") from None
        return None


def is_local_name(host: str) -> bool:
    """Whether a name means the machine itself (RFC 6761)."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def is_public(address: Address) -> bool:
    """Whether an address is in none of the networks a provider may not be in."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in FORBIDDEN_IPV4)
    return address in PUBLIC_IPV6 and not any(address in network for network in FORBIDDEN_IPV6)


def _check_userinfo(url: str) -> None:
    # First of all checks, and the only one that does not repeat the URL.
    if "@" in _AUTHORITY.sub(r"\1", url):
        raise AddressRefused("A user name or password in the URL would end up in logs; keep the key as a secret.")


def _check_characters(url: str) -> None:
    if not url.isascii():
        raise AddressRefused(f"{url!r} has letters outside ASCII; write an international name in its xn-- form.")
    if "\\" in url or not url.isprintable() or " " in url:
        raise AddressRefused(f"{url!r} has a space, a backslash or a control character in it.")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises, too, if it is not a port
    except ValueError as error:
        raise AddressRefused(f"{url!r} is not a URL: {error}.") from error
    return parts


def _check_parts(url: str, parts: SplitResult) -> None:
    if parts.scheme not in {"https", "http"}:
        raise AddressRefused(f"{url!r} does not begin with https://.")
    if "?" in url or "#" in url:
        raise AddressRefused(f"{url!r} has a query or a fragment; a provider's URL ends with its path.")
    host = parts.hostname or ""
    if not (_HOST.fullmatch(host.removesuffix(".")) or ":" in host):
        raise AddressRefused(f"{url!r} names no host.")


def _check_plain_http(url: str, host: str, address: Address | None, *, allow_loopback: bool) -> None:
    if not allow_loopback:
        raise AddressRefused(f"{url!r} does not begin with https://; keys and texts must not travel in the open.")
    if not (is_local_name(host) or (address is not None and address.is_loopback)):
        raise AddressRefused(f"{url!r}: http:// is permitted only to this machine.")


def _check_address(host: str, address: Address, *, allow_loopback: bool) -> None:
    if is_public(address) or (allow_loopback and address.is_loopback):
        return
    raise AddressRefused(f"{host} leads to {address}, which is not a public address.")
