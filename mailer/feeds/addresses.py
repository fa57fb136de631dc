"""Which hosts and addresses a fetch may reach: feeds are named by people, who could name our inside.

Sources: the IANA special-purpose registries (RFC 6890), which `ipaddress` knows as `is_global`; RFC 4291
(v4-mapped), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 6052 (NAT64), which wrap an IPv4 address that counts.
"""

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one of the public Internet, looking through what wraps an IPv4 address."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address in _TRANSLATED:
            return False  # RFC 8215: translation inside one network, by whatever rule it has
        wrapped = _wrapped(address)
        if wrapped is not None:
            return all(is_public(inner) for inner in wrapped)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that `host` spells, None for a name; raises ValueError for spellings that only trick.

    inet_aton, which resolvers use, reads `2130706433`, `0x7f.1` and `0177.0.0.1` as 127.0.0.1.
    No public name ends in a number or a hexadecimal one (WHATWG URL, "ends in a number checker").
    """
    host = host.strip("[]").rstrip(".")
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        if ":" in host or "%" in host or re.fullmatch(r"\d+|0[xX][0-9A-Fa-f]*", last):
            raise ValueError("an address in a spelling that is not canonical") from None
        return None


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_TRANSLATED = ipaddress.ip_network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.ip_network("::/96")  # RFC 4291 section 2.5.5.1, deprecated


def _wrapped(address: IPv6Address) -> tuple[IPv4Address, ...] | None:
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    if address in _NAT64 or address in _COMPATIBLE:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return None
