"""The other machines of the cluster, in the forwarding database of this machine's tunnel (VXLAN).

A frame for somebody unknown goes to all of them; who has answered is known to the kernel for itself.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Final

from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import Node
from machinery.model.machines import MACHINE_ADDRESS
from machinery.model.resources import NODES
from machinery.process.run import Process
from proxy.commands import CommandError, Commands
from proxy.config import ProxyConfig
from proxy.core.peers import EVERYBODY, diff_peers, wanted_peers

_LINK: Final = "tunnel"
_FAILED_S: Final = 1.0  # wall seconds until the next attempt


class Peers:
    """Keeps the peers of one machine's tunnel."""

    def __init__(self, config: ProxyConfig, process: Process, api: Api) -> None:
        self._config = config
        self._process = process
        self._commands = Commands(process.clock, config.command_timeout_s)
        keep = trimmer(Node, (f"metadata.labels[{MACHINE_ADDRESS}]",))
        self._nodes: Informer[Node] = Informer(api, NODES, clock=process.clock, keep=keep, log=process.log)
        self._changed = asyncio.Event()
        self._problem = "the cluster's nodes are not known yet"
        process.health.add_check("peers", lambda: self._problem)

    async def run(self) -> None:
        """Watch and write until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._nodes.run(), name="informer-nodes")
            await self._nodes.synced()
            self._nodes.subscribe(lambda _: self._changed.set())
            while True:
                self._changed.clear()
                patience_s = await self._attempt()
                with suppress(TimeoutError):
                    async with self._process.clock.timeout_wall(patience_s):
                        await self._changed.wait()

    async def _attempt(self) -> float:
        """Make the peers what they should be; return after how many wall seconds to look again in any case."""
        try:
            await self._apply()
        except CommandError as error:
            if not self._problem:
                self._process.log.warning("peers_not_written", error=error)
            self._problem = str(error)
            return _FAILED_S
        self._problem = ""
        self._process.ready()
        return self._process.clock.timescale.wall(self._config.sync_period_s)

    async def _apply(self) -> None:
        config = self._config
        wanted = wanted_peers(self._nodes.store.list(), config.tunnel_address, config.tunnel_peers)
        if lines := diff_peers(wanted, await self._present(), _LINK):
            await self._bridge("-batch", "-", text="".join(f"{line}\n" for line in lines))
            self._process.log.info("peers_changed", peers=",".join(sorted(wanted)))

    async def _present(self) -> list[str]:
        entries = json.loads(await self._bridge("-j", "fdb", "show", "dev", _LINK) or "[]")
        return [each["dst"] for each in entries if each.get("mac") == EVERYBODY and "dst" in each]

    async def _bridge(self, *arguments: str, text: str = "") -> str:
        return await self._commands.succeed(["bridge", "-n", self._config.tunnel, *arguments], text)
