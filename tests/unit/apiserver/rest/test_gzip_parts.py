"""gzip files from parts."""

from __future__ import annotations

import gzip
import zlib

import pytest

from apiserver.rest import gzip_parts

ITEMS = b",".join(b'{"name":"pod-%d"}' % number for number in range(1000))


@pytest.mark.parametrize("items", [b"", b"x", ITEMS, b"\0" * 70_000])
@pytest.mark.parametrize("head", [b"", b'{"items":['])
def test_joined_parts_are_one_valid_file(head: bytes, items: bytes) -> None:
    """A strict reader, which compares checksum and size, gives the content back."""
    written = gzip_parts.join(head, gzip_parts.part(items), b"]}")
    assert gzip.decompress(written) == head + items + b"]}"


def test_a_joined_file_has_a_single_member() -> None:
    """Readers that stop after the first member miss nothing."""
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    content = reader.decompress(gzip_parts.join(b"[", gzip_parts.part(ITEMS), b"]"))
    assert (content, reader.eof, reader.unused_data) == (b"[" + ITEMS + b"]", True, b"")


def test_a_part_serves_many_files() -> None:
    """The same items stand behind different heads."""
    items = gzip_parts.part(ITEMS)
    for head in (b"a", b"another head", b""):
        assert gzip.decompress(gzip_parts.join(head, items, b"")) == head + ITEMS
