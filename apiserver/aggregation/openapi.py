"""OpenAPI of the servers behind APIServices: asked for when somebody asks for it here, and kept for a moment.

A server that does not answer in time, or has no such document, is left out until it is asked the next time. Of one that
has no index of version 3 its document of version 2 is converted, as by kube-apiserver.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha512
from typing import Final

import msgspec

from apiserver.aggregation.backends import Backends, Fetched
from apiserver.aggregation.services import ApiServices
from apiserver.aside import aside
from apiserver.core.aggregation.heads import Head
from apiserver.core.aggregation.openapi_merge import Document
from apiserver.core.aggregation.openapi_v3 import in_version_3
from machinery.model.clock import Clock
from machinery.model.errors import Unavailable

_KEPT_S: Final = 10.0  # wall seconds
_WITHIN_S: Final = 3.0  # wall seconds that a server may take
_INDEX: Final = "/openapi/v3"
_V2: Final = "/openapi/v2"


@dataclass(slots=True)
class _Kept:
    form: object  # of the APIService then
    until_s: float
    found: Fetched | None


class _Place(msgspec.Struct):
    serverRelativeURL: str


class _Index(msgspec.Struct):
    paths: dict[str, _Place]


class OpenApiOfOthers:
    """Fetches documents; each of several callers at once waits for the same answer."""

    def __init__(self, services: ApiServices, backends: Backends, clock: Clock) -> None:
        self._services = services
        self._backends = backends
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}

    async def index(self) -> Mapping[str, str]:
        """Return where the documents of version 3 are, by the paths of their versions."""
        heads = self._available()
        answers = await asyncio.gather(*(self._fetch(head, _INDEX) for head in heads))
        found = {}
        for head, answer in zip(heads, answers, strict=True):
            path = head.path.lstrip("/")
            if (place := _read_index(answer).get(path)) is not None:
                found[path] = place.serverRelativeURL
            elif (older := await self._older(head, answer)) is not None:
                found[path] = f"{_INDEX}/{path}?hash={sha512(older).hexdigest().upper()}"
        return found

    async def document(self, path: str) -> bytes | None:
        """Return the document of version 3 of a version, by its path; None where there is none."""
        head = next((each for each in self._available() if each.path == f"/{path}"), None)
        if head is None:
            return None
        if (older := await self._older(head, await self._fetch(head, _INDEX))) is not None:
            return await aside(len(older), in_version_3, older)
        answer = await self._fetch(head, f"{_INDEX}/{path}")
        return answer.body if answer is not None and answer.status == 200 else None

    async def _older(self, head: Head, index: Fetched | None) -> bytes | None:
        """Return the document of version 2 of a server that has no index of version 3."""
        if index is None or index.status != 404:
            return None
        answer = await self._fetch(head, _V2)
        return answer.body if answer is not None and answer.status == 200 else None

    def serves(self, path: str) -> bool:
        """Whether the version of a path is another server's."""
        return any(each.path == f"/{path}" for each in self._services.remote.values())

    async def documents(self) -> list[Document]:
        """Return the documents of version 2."""
        heads = self._available()
        answers = await asyncio.gather(*(self._fetch(head, _V2) for head in heads))
        return [
            Document(head.group_version, answer.body)
            for head, answer in zip(heads, answers, strict=True)
            if answer is not None and answer.status == 200
        ]

    def _available(self) -> list[Head]:
        return [head for head in self._services.remote.values() if head.is_available]

    async def _fetch(self, head: Head, path: str) -> Fetched | None:
        key = (head.name, path)
        async with self._turns.setdefault(key, asyncio.Lock()):
            now_s, kept = self._clock.monotonic_wall(), self._kept.get(key)
            if kept is None or kept.form != head.form or now_s >= kept.until_s:
                kept = _Kept(head.form, 0.0, await self._ask(head, path))
                kept.until_s = self._clock.monotonic_wall() + _KEPT_S
                self._kept = {each: old for each, old in self._kept.items() if now_s < old.until_s}
                self._kept[key] = kept
        if not self._turns[key].locked():
            del self._turns[key]
        return kept.found

    async def _ask(self, head: Head, path: str) -> Fetched | None:
        try:
            return await self._backends.fetch(head, path, _WITHIN_S)
        except Unavailable:
            return None


def _read_index(answer: Fetched | None) -> Mapping[str, _Place]:
    if answer is None or answer.status != 200:
        return {}
    try:
        return msgspec.json.decode(answer.body, type=_Index).paths
    except (msgspec.MsgspecError, RecursionError):
        return {}
