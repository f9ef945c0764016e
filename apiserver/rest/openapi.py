"""The OpenAPI documents as bytes: each is made when it is first asked for, beside the event loop, and only bytes are kept.

A document of version 3 depends on its own group's version alone, so a definition that comes or changes makes no other one
anew. Of the groups of custom resources, which may be many and large, few documents are kept; what clients keep them by is
a hash of what they are made from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from apiserver.aside import aside
from apiserver.core import openapi_v2_binary
from apiserver.core.aggregation.openapi_merge import Document, merged
from apiserver.core.catalogue import Catalogue, PerGeneration, definition_in
from apiserver.core.discovery import Discovery
from apiserver.core.kind import ComputedKind, Kind
from apiserver.core.openapi import document_v2, document_v3, has_own_schema, page_v3, served_paths
from apiserver.core.openapi_pages import pages
from apiserver.core.values import Json
from apiserver.schemas import VERSION
from machinery.model.kinds import KindNames

KEPT: Final = 32  # documents of groups with schemas of their own
_HEAVY: Final = 10_000_000  # bytes of JSON: all of it is made in a thread

Resources: TypeAlias = tuple[KindNames, ...]


class _Definitions(msgspec.Struct):
    defs: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


class Documents:
    """Makes the documents of one generation of the catalogue; it looks at the catalogue no more."""

    def __init__(self, catalogue: Catalogue, definitions: Callable[[], bytes]) -> None:
        self.discovery = Discovery(catalogue.served(), catalogue.elsewhere)
        self.paths = served_paths(self.discovery)
        self.pages = pages(self.discovery)
        self._definitions = definitions
        self._own: dict[str, Kind | ComputedKind] = {}
        own: tuple[Kind | ComputedKind, ...] = (*catalogue.kinds(), *catalogue.computed)
        for kind in own:
            if kind.definitions:
                self._own |= dict.fromkeys((*kind.definitions, f"{kind.definition}List"), kind)

    def v2(self) -> bytes:
        """Return the document of version 2."""
        return msgspec.json.encode(self._v2())

    def v2_binary(self) -> bytes:
        """Return the document of version 2 in protobuf."""
        return openapi_v2_binary.encode(self._v2())

    def v2_with(self, others: Sequence[Document], *, is_binary: bool) -> bytes:
        """Return the document of version 2, with what other servers serve where their documents make sense."""
        own = self._v2()
        encode = openapi_v2_binary.encode if is_binary else msgspec.json.encode
        try:
            return encode(merged(own, others))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return encode(own)

    def v3(self, path: str) -> bytes:
        """Return the document of a group's version (api/v1, apis/apps/v1), which is served."""
        group, version = self.paths[path]
        return msgspec.json.encode(document_v3(self.discovery, group, version, VERSION, self._lookup()))

    def page(self, path: str) -> bytes:
        """Return the version 3 document of a page that is about no version of a group."""
        return msgspec.json.encode(page_v3(self.pages[path], VERSION, self._lookup()))

    def resources(self, path: str) -> Resources:
        """Return what a document of version 3 is made from."""
        return self.discovery.resources(*self.paths[path])

    def _v2(self) -> Json:
        return document_v2(self.discovery, VERSION, self._lookup(v2=True))

    def _lookup(self, *, v2: bool = False) -> Callable[[str], Json | None]:
        raw = msgspec.json.decode(self._definitions(), type=_Definitions).defs

        def lookup(name: str) -> Json | None:
            if name in raw:
                found: Json = msgspec.json.decode(raw[name])
                return found
            kind = self._own.get(name)
            return definition_in(kind, name, v2=v2) if kind else None

        return lookup


class OpenApi:
    """Keeps what is asked for, until what it is made from changes."""

    def __init__(self, catalogue: Catalogue, definitions: Callable[[], bytes]) -> None:
        self._documents = PerGeneration(catalogue, lambda: Documents(catalogue, definitions))
        self._whole: PerGeneration[dict[str, bytes]] = PerGeneration(catalogue, dict)
        self._published: dict[str, tuple[Resources, bytes]] = {}
        self._own: dict[str, tuple[Resources, bytes]] = {}  # the latest last
        self._with_others: dict[bool, tuple[Documents, Sequence[Document], bytes]] = {}
        self._making = asyncio.Lock()  # one at a time: they take as long as they are large

    async def v2(self) -> bytes:
        """Return the document of version 2."""
        return await self._once("v2", Documents.v2)

    async def v2_binary(self) -> bytes:
        """Return the document of version 2 in protobuf."""
        return await self._once("v2_binary", Documents.v2_binary)

    async def v2_with(self, others: Sequence[Document], *, is_binary: bool) -> bytes:
        """Return the document of version 2, with what other servers serve; of each form the latest is kept."""
        async with self._making:
            documents = self._documents()
            kept = self._with_others.get(is_binary)
            if kept is None or kept[0] is not documents or kept[1] != others:
                make = partial(Documents.v2_with, others=others, is_binary=is_binary)
                kept = self._with_others[is_binary] = (
                    documents,
                    others,
                    await aside(_HEAVY, make, documents),
                )
            return kept[2]

    async def document(self, path: str) -> bytes | None:
        """Return a document of version 3 (api/v1, apis/apps/v1, apis, version); None where there is none."""
        async with self._making:
            documents = self._documents()
            if path in documents.pages:
                return await self._page(documents, path)
            return await self._v3(documents, path) if path in documents.paths else None

    async def address(self, path: str) -> str:
        """Return where the document of a group's version, which is served, is for as long as it stays the same."""
        async with self._making:
            return await self._address(self._documents(), path)

    async def index(self) -> bytes:
        """Return the list of documents; each has a hash in its address, so that clients may keep it."""
        async with self._making:
            documents = self._documents()
            whole = self._whole()
            if "index" not in whole:
                paths = {
                    path: {"serverRelativeURL": await self._address(documents, path)}
                    for path in sorted({*documents.paths, *documents.pages})
                }
                whole["index"] = msgspec.json.encode({"paths": paths})
            return whole["index"]

    async def _page(self, documents: Documents, path: str) -> bytes:
        whole = self._whole()
        if path not in whole:
            whole[path] = documents.page(path)
        return whole[path]

    async def _once(self, name: str, make: Callable[[Documents], bytes]) -> bytes:
        async with self._making:
            documents, whole = self._documents(), self._whole()
            if name not in whole:
                whole[name] = await aside(_HEAVY, make, documents)
            return whole[name]

    async def _v3(self, documents: Documents, path: str) -> bytes:
        resources = documents.resources(path)
        is_own = any(map(has_own_schema, resources))
        kept = self._own if is_own else self._published
        known = kept.pop(path, None)
        if known is None or known[0] != resources:
            known = (resources, await aside(_HEAVY, documents.v3, path))
        kept[path] = known
        if len(self._own) > KEPT:
            del self._own[next(iter(self._own))]
        return known[1]

    async def _address(self, documents: Documents, path: str) -> str:
        resources = () if path in documents.pages else documents.resources(path)
        if path in documents.pages:
            text = sha256(await self._page(documents, path)).hexdigest()
        elif any(map(has_own_schema, resources)):
            digest = sha256(VERSION.encode())
            for each in resources:
                digest.update(_identity(each))
            text = digest.hexdigest()
        else:
            text = sha256(await self._v3(documents, path)).hexdigest()
        return f"/openapi/v3/{path}?hash={text.upper()}"


def _identity(names: KindNames) -> bytes:
    """Return what differs where the documents of two kinds do."""
    schema = names.schema_hash if isinstance(names, Kind) else ""
    described = [
        *names.gvr,
        names.kind,
        names.definition,
        names.namespaced,
        names.verbs,
        {name: (sub.kind, sub.group, sub.version, sub.verbs) for name, sub in names.subresources.items()},
        schema,
    ]
    return msgspec.json.encode(described)
