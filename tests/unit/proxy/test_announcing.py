"""What is said of an address that has come to a node."""

from __future__ import annotations

from ipaddress import IPv6Address

from proxy.core.announcing import ARP, IPV6, frame_type, write_frame

MAC = bytes.fromhex("020000000001")


def test_an_ipv4_address_is_announced_by_arp() -> None:
    """A request for itself to everybody."""
    frame = write_frame("10.77.0.211", MAC)
    assert frame_type("10.77.0.211") == ARP == int.from_bytes(frame[12:14], "big")
    here = bytes([10, 77, 0, 211])
    assert frame[:12] == b"\xff" * 6 + MAC
    assert frame[14:] == bytes.fromhex("0001080006040001") + MAC + here + bytes(6) + here


def test_an_ipv6_address_is_announced_by_an_advertisement() -> None:
    """With a checksum that is right, to all nodes of the link, over what they knew."""
    frame = write_frame("fd00:10:77::211", MAC)
    assert frame_type("fd00:10:77::211") == IPV6 == int.from_bytes(frame[12:14], "big")
    packet, message = frame[14:54], frame[54:]
    own, everybody = IPv6Address("fd00:10:77::211").packed, IPv6Address("ff02::1").packed
    assert (packet[4:6], packet[6], packet[7]) == (len(message).to_bytes(2, "big"), 58, 255)
    assert packet[8:] == own + everybody
    assert (message[0], message[4:8], message[8:24]) == (136, bytes.fromhex("20000000"), own)
    assert message[24:] == bytes([2, 1]) + MAC
    whole = own + everybody + len(message).to_bytes(4, "big") + bytes([0, 0, 0, 58]) + message
    total = sum(int.from_bytes(whole[at : at + 2], "big") for at in range(0, len(whole), 2))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
