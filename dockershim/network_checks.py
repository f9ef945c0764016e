"""Has the plugins CHECK whether pods' networks are as they made them (CNI specification 1.1, section 2).

All of them at the start; then one after the other, at a rest that bounds what it costs; and at once those whose link on the
node goes or loses its carrier. A sandbox whose network is broken is not ready from then on, and its kubelet makes it anew.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dockershim.catalogue import Catalogue
from dockershim.core.network_checks import lost_links, owners, rest_s
from dockershim.locks import Locks
from dockershim.network import Network
from machinery.client.waiting import event_within
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotFound
from machinery.model.log import EventLog

_LINKS: Final = 1  # RTMGRP_LINK: the kernel tells of every link of this network namespace
_MESSAGES_BYTES: Final = 1 << 16


class NetworkChecks:
    """Looks after the networks of this node's sandboxes."""

    def __init__(
        self,
        network: Network,
        catalogue: Catalogue,
        locks: Locks,
        clock: Clock,
        log: EventLog,
        every_s: float,
    ) -> None:
        """`every_s`: wall seconds between two looks at a sandbox at rest; 0 for none."""
        self._network = network
        self._catalogue = catalogue
        self._locks = locks
        self._clock = clock
        self._log = log
        self._every_s = every_s
        self._news = asyncio.Event()
        self._lost: set[str] = set()  # links that the kernel has told of
        self._told: set[str] = set()  # sandboxes that a plugin could not look at

    async def run(self) -> None:
        """Check everything once, and go on until cancelled."""
        with self._following_links():
            for sandbox_id in (sandboxes := self._network.checkable()):
                await self._check(sandbox_id)
            self._log.info("networks_checked", sandboxes=len(sandboxes))
            turns: deque[str] = deque()
            while True:
                turns = turns or deque(self._network.checkable())
                rest = rest_s(len(self._network.checkable()), self._every_s) if self._every_s else None
                limit_s = self._clock.timescale.cluster(rest) if rest else None
                if await event_within(self._news, self._clock, limit_s):
                    for sandbox_id in self._struck():
                        await self._check(sandbox_id)
                elif turns:
                    await self._check(turns.popleft())

    def _struck(self) -> list[str]:
        """Return the sandboxes whose links the kernel has told of."""
        lost, self._lost = self._lost, set()
        self._news.clear()
        return owners(lost, self._network.results())

    @contextmanager
    def _following_links(self) -> Iterator[None]:
        """Note the links of the node that go or lose their carrier, inside."""
        loop = asyncio.get_running_loop()
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        ) as door:
            door.bind((0, _LINKS))
            loop.add_reader(door, self._read, door)
            try:
                yield
            finally:
                loop.remove_reader(door)

    def _read(self, door: socket.socket) -> None:
        try:
            lost = set(lost_links(door.recv(_MESSAGES_BYTES)))
        except OSError:  # some were lost: their turn comes
            return
        if lost:
            self._lost |= lost
            self._news.set()

    async def _check(self, sandbox_id: str) -> None:
        """Find out whether a sandbox's network is still as it was made; one that is not is not ready from then on."""
        try:
            async with self._locks.held((await self._catalogue.sandbox(sandbox_id)).name):
                pid = (
                    (await self._catalogue.fresh(sandbox_id)).pid
                    if self._network.is_connected(sandbox_id)
                    else 0
                )
                if pid and (why := await self._network.check(sandbox_id, pid)):
                    self._log.warning("network_broken", sandbox=sandbox_id, error=why)
            self._told.discard(sandbox_id)
        except NotFound:
            self._told.discard(sandbox_id)
        except ApiError as error:
            if sandbox_id not in self._told:
                self._log.warning("network_not_checked", sandbox=sandbox_id, error=error)
            self._told.add(sandbox_id)
