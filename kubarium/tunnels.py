"""`kubarium tunnel`: ports of this machine that lead to Services for as long as it runs.

Those of Services that were named are opened once; without names, those of every LoadBalancer, as they come and go.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kubarium.core.layout import Layout
from kubarium.core.spec import ClusterSpec
from kubarium.core.tunnels import NoTunnel, Opening, Wanted, openings
from kubarium.errors import KubariumError
from kubarium.publishing.dialing import Dialer
from kubarium.publishing.forwarding import Forwarder, ListenError
from kubarium.publishing.wayfinder import Wayfinder
from kubarium.waiting import connect, require_answer
from machinery.client.api import Api
from machinery.model.k8s.core_v1 import Service
from machinery.model.log import SILENT
from machinery.model.store import Change
from machinery.process.clock import WALL


def tunnel(
    spec: ClusterSpec, layout: Layout[Path], wanted: Sequence[Wanted], say: Callable[[str], None]
) -> None:
    """Forward until SIGINT or SIGTERM; each port that is opened or closed is told to `say`.

    Raises:
        KubariumError: the cluster has no network or does not answer, a Service that was named is not there, or a port that was
            asked for cannot be had.
    """
    if not spec.isolated:
        raise KubariumError(
            f'cluster "{spec.name}" has the hollow runtime: simulated containers answer nobody'
        )
    require_answer(spec, layout)
    try:
        asyncio.run(_until_stopped(spec, layout, wanted, say))
    except* (NoTunnel, ListenError) as failed:
        raise KubariumError(str(_first(failed))) from failed


def _first(error: BaseException) -> BaseException:
    """Return the first of the errors that groups of groups hold."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _until_stopped(
    spec: ClusterSpec, layout: Layout[Path], wanted: Sequence[Wanted], say: Callable[[str], None]
) -> None:
    api = connect(spec, layout)
    cluster = spec.name if os.geteuid() == 0 else ""  # who else may not enter a node
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(Tunnels(api, Dialer(WALL, cluster), wanted, say).run())
            await stopped.wait()
            running.cancel()
    finally:
        await api.aclose()


class Tunnels:
    """The ports that are open."""

    def __init__(
        self, api: Api, dialer: Dialer, wanted: Sequence[Wanted], say: Callable[[str], None]
    ) -> None:
        self._wayfinder = Wayfinder(api, enters_nodes=dialer.enters_nodes, clock=WALL)
        self._dialer = dialer
        self._wanted = wanted
        self._say = say
        self._changed = asyncio.Event()
        self._open: dict[Opening, Forwarder] = {}

    async def run(self) -> None:
        """Open and close until cancelled.

        Raises:
            NoTunnel: a Service that was named is not there, or has not that port.
            ListenError: a port that was asked for cannot be had.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._wayfinder.run(), name="wayfinder")
                await self._wayfinder.synced()
                self._wayfinder.services.subscribe(self._on_service)
                if not self._wanted:
                    self._say("every LoadBalancer has its ports here while this runs")
                await self._follow(tasks)
        finally:
            for opening in tuple(self._open):
                self._close(opening)

    def _on_service(self, _: Change[Service]) -> None:
        self._changed.set()

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._changed.clear()
            due = openings(self._wayfinder.services.store, self._wanted)
            for gone in [each for each in self._open if each not in due]:
                self._close(gone)
            for opening in due:
                if opening not in self._open:
                    await self._begin(opening, tasks)
            await self._wait()

    async def _wait(self) -> None:
        if self._wanted:  # what was named stays open, whatever becomes of it
            await asyncio.Event().wait()
        await self._changed.wait()

    async def _begin(self, opening: Opening, tasks: asyncio.TaskGroup) -> None:
        *first, last = opening.attempts
        for port in first:
            try:
                return await self._listen(opening, port, tasks)
            except ListenError:  # taken, or not for this user
                continue
        return await self._listen(opening, last, tasks)

    async def _listen(self, opening: Opening, port: int, tasks: asyncio.TaskGroup) -> None:
        publication = opening.publication(port)
        forwarder = Forwarder(
            publication,
            partial(self._wayfinder.ways, publication),
            self._dialer,
            tasks=tasks,
            clock=WALL,
            log=SILENT,
        )
        listens_at = publication._replace(port=await forwarder.open()).listens_at
        self._open[opening] = forwarder
        self._say(f"{listens_at} → {opening.name}")

    def _close(self, opening: Opening) -> None:
        self._open.pop(opening).close()
        self._say(f"closed: {opening.name}")
