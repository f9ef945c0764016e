"""A page of HTML on its way through a proxy: unpacked where it is compressed, its links rewritten, and packed again."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Final

from apiserver.core.proxying.links import LinkRewriter

_PIECE: Final = 64 * 1024  # bytes that are unpacked at once
_GZIP: Final = 31  # zlib's window bits, with gzip's head


class Page:
    """One page, piece by piece."""

    def __init__(self, rewrite: Callable[[str], str], *, is_gzip: bool) -> None:
        self._links = LinkRewriter(rewrite)
        self._unpacking = zlib.decompressobj(_GZIP) if is_gzip else None
        self._packing = zlib.compressobj(wbits=_GZIP) if is_gzip else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what can be passed on of the page, in parts of bounded size.

        Raises:
            ConnectionError: it is not compressed as it says.
        """
        if self._unpacking is None or self._packing is None:
            yield self._links.feed(data)
            return
        try:
            while data:
                plain = self._unpacking.decompress(data, _PIECE)
                yield self._packing.compress(self._links.feed(plain))
                data = self._unpacking.unconsumed_tail
        except zlib.error as error:
            raise ConnectionResetError(f"the page is not compressed as it says: {error}") from error

    def finish(self) -> bytes:
        """Return the end of the page."""
        rest = self._links.finish()
        return rest if self._packing is None else self._packing.compress(rest) + self._packing.flush()
