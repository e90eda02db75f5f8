"""Which places on the network may be reached; pure: reads spellings and addresses, asks nobody.

A place is refused unless it is plainly outside: what looks like an address in any other spelling,
what embeds an IPv4 address in an IPv6 one, and everything the registries keep for special purposes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from kb.errors import ForbiddenError

Address = IPv4Address | IPv6Address
DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL_CHARACTERS = 2_000

_INSIDE_4: dict[str, tuple[str, ...]] = {
    "loopback": ("127.0.0.0/8",),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    "shared by carriers": ("100.64.0.0/10",),
}
_NEVER_4 = {
    "unspecified": ("0.0.0.0/8",),
    "link-local": ("169.254.0.0/16",),
    "metadata": ("100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"),
    "multicast": ("224.0.0.0/4",),
    "reserved": (
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "240.0.0.0/4",
    ),
}  # fmt: skip
_INSIDE_6: dict[str, tuple[str, ...]] = {"loopback": ("::1/128",), "private": ("fc00::/7",)}
_NEVER_6 = {
    "unspecified": ("::/128",),
    "IPv4-mapped": ("::ffff:0:0/96",),
    "IPv4-translated": ("::ffff:0:0:0/96",),
    "IPv4-compatible": ("::/96",),
    "NAT64": ("64:ff9b::/96", "64:ff9b:1::/48"),
    "Teredo": ("2001::/32",),
    "6to4": ("2002::/16",),
    "link-local": ("fe80::/10",),
    "site-local": ("fec0::/10",),
    "metadata": ("fd00:ec2::254/128", "fd20:ce::254/128"),
    "multicast": ("ff00::/8",),
    "reserved": ("2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "100::/64"),
}
"""From IANA's special-purpose address registries (RFC 6890 and what amends it), and the addresses
at which clouds answer with a machine's own credentials."""
_GLOBAL_6 = IPv6Network("2000::/3")
_ISATAP = (0x00005EFE, 0x02005EFE)

_DOTTED = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\\]")


class UnsafeAddressError(ForbiddenError):
    """A place that must not be reached; nothing was sent there."""

    code = "unsafe_address"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads, as far as its text says."""

    scheme: str
    host: str
    """ASCII and lower case; an IPv6 address without brackets."""
    port: int
    address: Address | None
    """Where the host is an address and no name."""

    @property
    def written_host(self) -> str:
        """As a URL says it: an IPv6 address in brackets."""
        return f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host

    @property
    def authority(self) -> str:
        """As a Host header says it."""
        usual = self.port == DEFAULT_PORTS[self.scheme]
        return self.written_host if usual else f"{self.written_host}:{self.port}"

    def is_named_in(self, allowed: Collection[str]) -> bool:
        """Whether the team named this very host and port; a host alone means its usual ports."""
        if f"{self.written_host}:{self.port}" in allowed:
            return True
        return self.written_host in allowed and self.port in DEFAULT_PORTS.values()


def read_target(url: str, allowed: Collection[str] = ()) -> Target:
    """Read a URL strictly: what two programs could read differently is refused.

    Args:
        url: Absolute.
        allowed: "host" or "host:port", which may be inside.

    Raises:
        UnsafeAddressError: No place this service reaches; says why.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise UnsafeAddressError(f"a URL of {len(url)} characters")
    if _UNPRINTABLE.search(url):
        raise UnsafeAddressError("a URL with spaces, backslashes or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UnsafeAddressError(f"not a URL: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise UnsafeAddressError(f"scheme {scheme or 'left out'!r}, expected http or https")
    if "@" in parts.netloc:
        raise UnsafeAddressError("a name or password in the URL")
    host, address = _read_host(parts.netloc)
    target = Target(scheme, host, DEFAULT_PORTS[scheme] if port is None else port, address)
    named = target.is_named_in(allowed)
    if target.port not in DEFAULT_PORTS.values() and not named:
        raise UnsafeAddressError(f"port {target.port}, expected 80 or 443")
    if address is not None:
        check_address(address, named=named)
    return target


def check_address(address: Address, *, named: bool = False) -> None:
    """Let an address outside pass, and one inside where its host was named by the team.

    Raises:
        UnsafeAddressError: It is neither.
    """
    inside, never = (_INSIDE_4, _NEVER_4) if address.version == 4 else (_INSIDE_6, _NEVER_6)
    found = _find_kind(address, never) or _find_kind(address, {} if named else inside)
    if found is None and isinstance(address, IPv6Address) and not _find_kind(address, inside):
        if address not in _GLOBAL_6:
            found = "reserved"
        elif (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
            found = "ISATAP"
    if found is not None:
        raise UnsafeAddressError(f"{address} is {found}", address=str(address))


def _find_kind(address: Address, kinds: dict[str, tuple[str, ...]]) -> str | None:
    # ::1 lies in ::/96 too, and is loopback.
    for kind, networks in kinds.items():
        for text in networks:
            network = IPv6Network(text) if ":" in text else IPv4Network(text)
            if address in network and not (kind == "IPv4-compatible" and int(address) == 1):
                return kind
    return None


def _read_host(netloc: str) -> tuple[str, Address | None]:
    """The host in one spelling, and the address where it is one."""
    if netloc.startswith("["):
        text = netloc[1:].partition("]")[0]
        if "%" in text:
            raise UnsafeAddressError("an address with a zone")
        try:
            address = IPv6Address(text)
        except ValueError as error:
            raise UnsafeAddressError(f"not an address: {error}") from error
        return str(address), address
    host = _to_ascii(netloc.partition(":")[0])
    if _DOTTED.fullmatch(host):
        try:
            return host, IPv4Address(host)
        except ValueError as error:
            raise UnsafeAddressError(f"an odd spelling of an address: {error}") from error
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise UnsafeAddressError(f"{host[:80]!r} is no host name")
    # What ends in a number is an address to many programs: 127.1, 2130706433, 0x7f000001, 017.1.
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        raise UnsafeAddressError("an odd spelling of an address")
    return host, None


def _to_ascii(host: str) -> str:
    lowered = host.lower()
    if lowered.isascii():
        return lowered
    # Digits in circles and letters of full width turn into plain ones on the way to a resolver.
    if unicodedata.normalize("NFKC", lowered) != lowered:
        raise UnsafeAddressError("a host name in look-alike characters")
    try:
        ascii_host = lowered.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise UnsafeAddressError(f"no host name: {error}") from error
    if _DOTTED.fullmatch(ascii_host):
        raise UnsafeAddressError("an odd spelling of an address")
    return ascii_host
