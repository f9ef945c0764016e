"""Asks extenders over HTTP, beside the decisions on other pods. What is sent and what it means is scheduler/core/extending.py's.

A decision about a pod that concerns an extender has two halves: which nodes fit is asked of the plugins, then the extenders, which
takes its time, and then the plugins again, since other pods have got places by then. It is the same with pods that would have to go.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

import msgspec

from machinery.model.clock import Clock
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.log import EventLog
from scheduler.core.extended_preemption import Offers, ask_to_preempt, read_offers
from scheduler.core.extending import (
    Extended,
    Extender,
    ExtenderFailed,
    TlsFiles,
    ask_about_nodes,
    ask_to_bind,
    check_bound,
    read_filtered,
    read_priorities,
)
from scheduler.core.framework import Plugin
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection

if TYPE_CHECKING:
    import aiohttp

_READING: Final = 16  # pods that are read at once, to be sent whole
_LONGEST: Final = 64 * 1024 * 1024  # bytes of an answer


class Extenders:
    """The extenders of a configuration, in their order."""

    def __init__(
        self,
        extenders: Sequence[Extender],
        *,
        whole_pod: Callable[[PodInfo], Awaitable[Pod | None]],
        whole_node: Callable[[str], Node | None],
        pods_on: Callable[[str], Mapping[str, PodInfo]],
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._doors = [_Door(each, clock) for each in extenders]
        self._whole_pod = whole_pod
        self._whole_node = whole_node
        self._pods_on = pods_on  # of a node, by uid
        self._log = log

    def concern(self, pod: PodInfo) -> bool:
        """Whether one is asked about the nodes of a pod."""
        return any(
            (each.extender.filter_verb or each.extender.prioritize_verb) and each.extender.concerns(pod.needs)
            for each in self._doors
        )

    def binders(self, pod: PodInfo) -> list[Plugin]:
        """Return those that bind a pod."""
        return [
            _Binder(each, self._log)
            for each in self._doors
            if each.extender.bind_verb and each.extender.concerns(pod.needs)
        ]

    async def ask(self, pod: PodInfo, fitting: Sequence[str]) -> Extended | None:
        """Return what they say of the nodes that fit; None where the pod is gone.

        Raises:
            ExtenderFailed: one that cannot be ignored could not be asked, or made no sense.
        """
        whole = await self._whole_pod(pod)
        if whole is None:
            return None
        nodes = [node for each in fitting if (node := self._whole_node(each)) is not None]
        rejected: dict[str, Rejection] = {}
        points: dict[str, int] = {}
        for door in self._doors:
            if nodes and door.extender.filter_verb and door.extender.concerns(pod.needs):
                nodes, out = await self._filtered(door, whole, nodes)
                rejected |= out
        for door in self._doors:
            if nodes and door.extender.prioritize_verb and door.extender.concerns(pod.needs):
                for name, value in (await self._rated(door, whole, nodes)).items():
                    points[name] = points.get(name, 0) + value
        return Extended(frozenset(each.metadata.name for each in nodes), rejected, points)

    def concern_victims(self, pod: PodInfo) -> bool:
        """Whether one is asked which pods are taken away for a pod."""
        return any(self._of_victims(pod))

    async def ask_about_victims(self, pod: PodInfo, offers: Offers) -> Offers | None:
        """Return what they leave of the pods that might be taken away for one; None where this one is gone.

        Raises:
            ExtenderFailed: one that cannot be ignored could not be asked, or made no sense.
        """
        whole = await self._whole_pod(pod)
        if whole is None:
            return None
        doors = [*self._of_victims(pod)]
        victims: dict[str, Pod] = {}
        if not all(each.extender.has_node_cache for each in doors):
            victims = await self._whole(offers)
        for door in doors:
            extender = door.extender
            try:
                asked = ask_to_preempt(extender, whole, offers, victims)
                answer = await door.post(extender.preempt_verb, asked)
                offers = read_offers(extender, answer, offers, self._pods_on)
            except ExtenderFailed as failed:
                if not extender.is_ignorable:
                    raise
                self._log.warning("extender_ignored", extender=extender.url, error=failed)
            if not offers:
                break
        return offers

    def _of_victims(self, pod: PodInfo) -> Iterator[_Door]:
        return (
            each for each in self._doors if each.extender.preempt_verb and each.extender.concerns(pod.needs)
        )

    async def _whole(self, offers: Offers) -> dict[str, Pod]:
        """Read pods with all that is known of them, by uid; those that are gone are left out."""
        found: dict[str, Pod] = {}
        todo = iter([each for victims in offers.values() for each in victims.pods])

        async def read() -> None:
            for each in todo:
                pod = await self._whole_pod(each)
                if pod is not None and pod.metadata.uid == each.uid:
                    found[each.uid] = pod

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_READING):
                tasks.create_task(read())
        return found

    async def aclose(self) -> None:
        """Close the connections."""
        for each in self._doors:
            await each.aclose()

    async def _filtered(
        self, door: _Door, pod: Pod, nodes: list[Node]
    ) -> tuple[list[Node], dict[str, Rejection]]:
        extender = door.extender
        try:
            answer = await door.post(extender.filter_verb, ask_about_nodes(extender, pod, nodes))
            found = read_filtered(extender, answer, [each.metadata.name for each in nodes])
        except ExtenderFailed as failed:
            if not extender.is_ignorable:
                raise
            self._log.warning("extender_ignored", extender=extender.url, error=failed)
            return nodes, {}
        taken = set(found.nodes)
        return [each for each in nodes if each.metadata.name in taken], dict(found.rejected)

    async def _rated(self, door: _Door, pod: Pod, nodes: list[Node]) -> dict[str, int]:
        """Return points; an extender that fails at that has none to give, as upstream has it."""
        extender = door.extender
        try:
            return read_priorities(
                extender, await door.post(extender.prioritize_verb, ask_about_nodes(extender, pod, nodes))
            )
        except ExtenderFailed as failed:
            self._log.warning("extender_ignored", extender=extender.url, error=failed)
            return {}


class _Binder(Plugin):
    """An extender that binds pods, as a plugin that does."""

    name = "Extender"

    def __init__(self, door: _Door, log: EventLog) -> None:
        self._door = door
        self._log = log

    async def bind(self, pod: PodInfo, node: str, api: Any) -> bool:
        """Have a pod bound; one that can be ignored leaves it to the next where it fails.

        Raises:
            ExtenderFailed: it cannot be ignored, and has not bound it.
        """
        del api
        extender = self._door.extender
        try:
            check_bound(extender, await self._door.post(extender.bind_verb, ask_to_bind(pod, node)))
        except ExtenderFailed as failed:
            if not extender.is_ignorable:
                raise
            self._log.warning("extender_ignored", extender=extender.url, pod=pod.key, error=failed)
            return False
        return True


class _Door:
    """The connections to one extender."""

    def __init__(self, extender: Extender, clock: Clock) -> None:
        self.extender = extender
        self._clock = clock
        self._open = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    async def post(self, verb: str, body: dict[str, Any]) -> Any:
        """Send something to one of its verbs, and return what it answers.

        Raises:
            ExtenderFailed: there is no answer in time, or it is none of JSON, or not 200.
        """
        import aiohttp

        extender, url = self.extender, self.extender.url_of(verb)
        try:
            async with self._clock.timeout_wall(extender.within_s):
                session = await self._connected()
                async with session.post(
                    url,
                    data=msgspec.json.encode(body),
                    headers={"Content-Type": "application/json"},
                    server_hostname=(extender.tls.server_name or None) if extender.tls else None,
                ) as answer:
                    if answer.status != 200:
                        text = f"failed {verb} with extender at URL {url}, code {answer.status}"
                        raise ExtenderFailed(extender.url, text)
                    content = await _content(answer.content)
        except TimeoutError as error:
            text = f"no answer from {url} within {extender.within_s:g} s"
            raise ExtenderFailed(extender.url, text) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ExtenderFailed(extender.url, f"{url} could not be asked: {error}") from error
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            raise ExtenderFailed(extender.url, f"{url} answered no JSON: {error}") from error

    async def aclose(self) -> None:
        await self._open.aclose()

    async def _connected(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            tls = self.extender.tls
            connector = aiohttp.TCPConnector(ssl=True if tls is None else _context(tls))
            session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout())
            self._session = await self._open.enter_async_context(session)
        return self._session


async def _content(stream: aiohttp.StreamReader) -> bytes:
    found = bytearray()
    async for chunk in stream.iter_any():
        found += chunk
        if len(found) > _LONGEST:
            raise ValueError(f"the answer is longer than {_LONGEST} bytes")
    return bytes(found)


def _context(tls: TlsFiles) -> ssl.SSLContext:
    """Return how TLS is spoken.

    Raises:
        OSError: a file cannot be read; ssl.SSLError, which is one, what is in it.
    """
    if isinstance(tls.ca, bytes):
        context = ssl.create_default_context(cadata=tls.ca.decode())
    else:
        context = ssl.create_default_context(cafile=tls.ca or None)
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert and tls.key:
        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(_file(tls.cert, folder, "crt"), _file(tls.key, folder, "key"))
    return context


def _file(what: str | bytes, folder: str, name: str) -> str:
    """Return a file's path; what is no file yet is written into one, for as long as it is read."""
    if isinstance(what, str):
        return what
    path = f"{folder}/{name}"
    with open(path, "wb") as file:  # noqa: PTH123 - a path of two words
        file.write(what)
    return path
