"""Header blocks, against the examples of RFC 7541, appendix C."""

from __future__ import annotations

import pytest

from machinery.rpc.hpack import Undecodable, read_block, write_block


@pytest.mark.parametrize(
    ("coded", "text"),
    [
        ("8cf1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),  # C.4.1
        ("86a8eb10649cbf", "no-cache"),  # C.4.2
        ("8825a849e95ba97d7f", "custom-key"),  # C.4.3
        ("8925a849e95bb8e8b4bf", "custom-value"),
        ("85aec3771a4b", "private"),  # C.6.1
        ("96d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("919d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"),
    ],
)
def test_huffman_codes_of_the_standard_are_read(coded: str, text: str) -> None:
    """A literal field with a coded value gives the text."""
    assert read_block(b"\x00\x01x" + bytes.fromhex(coded)) == (("x", text),)


def test_what_is_written_is_read() -> None:
    """Long texts, empty ones and colons in names survive."""
    fields = ((":path", "/etcdserverpb.KV/Range"), ("empty", ""), ("long", "y" * 300), ("empty", ""))
    assert read_block(write_block(fields)) == fields


def test_the_status_and_the_size_of_the_table_are_understood() -> None:
    """A block may begin with the size 0, and has fields and names of the static table."""
    assert read_block(b"\x20\x88") == ((":status", "200"),)
    assert read_block(b"\x48\x03503") == ((":status", "503"),)
    assert read_block(b"\x83\x5f\x10application/grpc\xbd") == (
        (":method", "POST"),
        ("content-type", "application/grpc"),
        ("www-authenticate", ""),
    )


@pytest.mark.parametrize(
    "block",
    [
        b"\xbe",  # the first entry of a dynamic table
        b"\x3f\xe1\x1f",  # a dynamic table of 4096 bytes
        b"\x80",  # entry 0
        b"\x00\x03ab",  # breaks off
        b"\x00",
        b"\x00\x01x\x81\x00",  # padding that is none
        b"\x00\x01x\xff\xff\xff\xff\xff\xff",  # a number without end
    ],
)
def test_what_is_not_understood_is_refused(block: bytes) -> None:
    """No block is half read."""
    with pytest.raises(Undecodable):
        read_block(block)
