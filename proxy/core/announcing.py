"""What is said to a link of an address that is at another node from now on.

Who has it in his table of neighbours learns by that where it is. By IPv4 it is a gratuitous ARP (RFC 5227, 3), by IPv6 an
unsolicited Neighbor Advertisement that overrides (RFC 4861, 7.2.6).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Final

ARP: Final = 0x0806  # types of frames
IPV6: Final = 0x86DD
_EVERYBODY: Final = b"\xff" * 6
_TO_IPV4: Final = b"\x00\x01\x08\x00\x06\x04\x00\x01"  # Ethernet, IPv4, lengths, request
_ALL_NODES: Final = IPv6Address("ff02::1")
_TO_ALL_NODES: Final = bytes.fromhex("333300000001")
_ICMPV6: Final = 58
_ADVERTISEMENT: Final = 136
_OVERRIDES: Final = 0x20000000
_LINK_ADDRESS: Final = b"\x02\x01"  # an option: the target's, of 8 bytes


def frame_type(address: str) -> int:
    """Return the type of the frame that announces an address."""
    return IPV6 if ":" in address else ARP


def write_frame(address: str, mac: bytes) -> bytes:
    """Write the Ethernet frame by which an interface says that it has an address."""
    return _advertisement(IPv6Address(address), mac) if ":" in address else _arp(IPv4Address(address), mac)


def _arp(address: IPv4Address, mac: bytes) -> bytes:
    here = address.packed
    return _EVERYBODY + mac + ARP.to_bytes(2, "big") + _TO_IPV4 + mac + here + bytes(6) + here


def _advertisement(address: IPv6Address, mac: bytes) -> bytes:
    body = _OVERRIDES.to_bytes(4, "big") + address.packed + _LINK_ADDRESS + mac
    length = len(body) + 4
    addresses = address.packed + _ALL_NODES.packed
    pseudo = addresses + length.to_bytes(4, "big") + bytes(3) + bytes([_ICMPV6])
    head = bytes([_ADVERTISEMENT, 0])
    message = head + _checksum(pseudo + head + bytes(2) + body) + body
    version, hops = 0x60000000, 255  # fewer hops would have come from elsewhere
    packet = version.to_bytes(4, "big") + length.to_bytes(2, "big") + bytes([_ICMPV6, hops]) + addresses
    return _TO_ALL_NODES + mac + IPV6.to_bytes(2, "big") + packet + message


def _checksum(data: bytes) -> bytes:
    """Return the Internet's checksum (RFC 1071) of an even number of bytes."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (total ^ 0xFFFF).to_bytes(2, "big")
