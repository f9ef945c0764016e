"""The OpenAPI documents as bytes: each is made when it is first asked for, and only its bytes are kept."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import msgspec

from apiserver.core import openapi_v2_binary
from apiserver.core.openapi import document_v2, document_v3, served_paths
from apiserver.core.values import Json
from apiserver.schemas import VERSION


class _Definitions(msgspec.Struct):
    defs: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


class OpenApi:
    """Makes and keeps the documents."""

    def __init__(self, definitions: Callable[[], bytes]) -> None:
        self._definitions = definitions
        self._documents: dict[str, bytes] = {}
        self._index = b""
        self._v2 = b""
        self._v2_binary = b""

    def v2(self) -> bytes:
        """Give the document of version 2."""
        if not self._v2:
            self._v2 = msgspec.json.encode(document_v2(VERSION, self._lookup()))
        return self._v2

    def v2_binary(self) -> bytes:
        """Give the document of version 2 in protobuf."""
        if not self._v2_binary:
            self._v2_binary = openapi_v2_binary.encode(document_v2(VERSION, self._lookup()))
        return self._v2_binary

    def document(self, path: str) -> bytes | None:
        """Give the document of a group's version (api/v1, apis/apps/v1); None where there is none."""
        place = served_paths().get(path)
        if place is None:
            return None
        if path not in self._documents:
            self._make_all()
        return self._documents[path]

    def index(self) -> bytes:
        """Give the list of documents; each has a hash in its address, so that clients may keep it."""
        if not self._index:
            self._make_all()
            paths = {path: {"serverRelativeURL": self._address(path)} for path in served_paths()}
            self._index = msgspec.json.encode({"paths": paths})
        return self._index

    def _address(self, path: str) -> str:
        digest = sha256(self._documents[path]).hexdigest().upper()
        return f"/openapi/v3/{path}?hash={digest}"

    def _make_all(self) -> None:
        lookup = self._lookup()
        for path, (group, version) in served_paths().items():
            self._documents[path] = msgspec.json.encode(document_v3(group, version, VERSION, lookup))

    def _lookup(self) -> Callable[[str], Json | None]:
        raw = msgspec.json.decode(self._definitions(), type=_Definitions).defs

        def lookup(name: str) -> Json | None:
            found: Json | None = msgspec.json.decode(raw[name]) if name in raw else None
            return found

        return lookup
