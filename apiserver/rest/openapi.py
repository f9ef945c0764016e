"""The OpenAPI documents as bytes: each is made when it is first asked for, and only its bytes are kept."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import msgspec

from apiserver.core import openapi_v2_binary
from apiserver.core.catalogue import Catalogue, PerGeneration
from apiserver.core.discovery import Discovery
from apiserver.core.openapi import document_v2, document_v3, served_paths
from apiserver.core.values import Json
from apiserver.schemas import VERSION


class _Definitions(msgspec.Struct):
    defs: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


class OpenApi:
    """Makes the documents, and keeps them until the catalogue changes."""

    def __init__(self, catalogue: Catalogue, definitions: Callable[[], bytes]) -> None:
        self._catalogue = catalogue
        self._definitions = definitions
        self._discovery = PerGeneration(catalogue, lambda: Discovery(catalogue.served()))
        self._v2 = PerGeneration(catalogue, lambda: msgspec.json.encode(self._document_v2()))
        self._v2_binary = PerGeneration(catalogue, lambda: openapi_v2_binary.encode(self._document_v2()))
        self._documents = PerGeneration(catalogue, self._make_all)
        self._index = PerGeneration(catalogue, self._make_index)

    def v2(self) -> bytes:
        """Return the document of version 2."""
        return self._v2()

    def v2_binary(self) -> bytes:
        """Return the document of version 2 in protobuf."""
        return self._v2_binary()

    def document(self, path: str) -> bytes | None:
        """Return the document of a group's version (api/v1, apis/apps/v1); None where there is none."""
        if path not in served_paths(self._discovery()):
            return None
        return self._documents()[path]

    def index(self) -> bytes:
        """Return the list of documents; each has a hash in its address, so that clients may keep it."""
        return self._index()

    def _document_v2(self) -> Json:
        return document_v2(self._discovery(), VERSION, self._lookup(v2=True))

    def _make_index(self) -> bytes:
        paths = {
            path: {"serverRelativeURL": _address(path, body)} for path, body in self._documents().items()
        }
        return msgspec.json.encode({"paths": paths})

    def _make_all(self) -> dict[str, bytes]:
        lookup, discovery = self._lookup(), self._discovery()
        return {
            path: msgspec.json.encode(document_v3(discovery, group, version, VERSION, lookup))
            for path, (group, version) in served_paths(discovery).items()
        }

    def _lookup(self, *, v2: bool = False) -> Callable[[str], Json | None]:
        raw = msgspec.json.decode(self._definitions(), type=_Definitions).defs

        def lookup(name: str) -> Json | None:
            if name in raw:
                found: Json = msgspec.json.decode(raw[name])
                return found
            return self._catalogue.definition(name, v2=v2)

        return lookup


def _address(path: str, body: bytes) -> str:
    return f"/openapi/v3/{path}?hash={sha256(body).hexdigest().upper()}"
