"""Which addresses may be connected to: public ones, and those of networks that the operator has named."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

__all__ = ["Address", "Network", "is_own", "is_public"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNICAST: Final = IPv6Network("2000::/3")
# Where IPv4 addresses hide in others: what they lead to is what counts.
_NAT64: Final = IPv6Network("64:ff9b::/96")
_TUNNELS: Final = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))
_RELAYS: Final = IPv4Network("192.88.99.0/24")


def is_public(text: str) -> bool:
    """Whether an address, as it would be connected to, is a global unicast one."""
    return _is_public(_address(text))


def is_own(text: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of some networks; one of IPv4 that is written as IPv6 is the same."""
    address = _address(text)
    return any(address.version == network.version and address in network for network in networks)


def _address(text: str) -> Address:
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _UNICAST or any(address in tunnel for tunnel in _TUNNELS):
            return False
    elif address in _RELAYS:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
