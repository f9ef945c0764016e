"""The host of hollow nodes, put together."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from hollownodes.config import HollowNodesConfig
from hollownodes.control import PATH, FleetPages
from hollownodes.descriptors import has_descriptors
from hollownodes.fleet import Fleet
from hollownodes.node import Surroundings
from hollownodes.shared_watches import SharedWatches
from hollownodes.transport import SharedDoor
from kubelet.core.node_status import Machine
from kubelet.machine_info import read_machine
from machinery.client.api import Api
from machinery.client.grpc_transport import connect_grpc
from machinery.client.limited import limited
from machinery.client.write_batches import WriteBatches
from machinery.model.profile import intervals
from machinery.process.run import Process
from machinery.process.tls import ServerTls

_CALLER: Final = "kubelet@hollow"  # the owner of fields is called as with every kubelet
_GENERATIONS: Final = (20_000, 20, 100)  # objects, then collections of the generation before
# leases and statuses in flight: while thousands of pods begin a renewal takes several long turns of the loop, and with 32 at once
# five thousand nodes renewed 75 leases a second
_VITAL_AT_ONCE: Final = 512
_RENEWALS_TOGETHER_S: Final = (
    0.2  # wall seconds that a renewal waits for others, and at most a tenth of the time between two
)
_WRITES_TOGETHER_S: Final = 0.05  # the same of a pod's status, and of events


async def serve(config: HollowNodesConfig, process: Process) -> None:
    """Be all nodes until cancelled."""

    def connect() -> Api:
        return connect_grpc(
            config.server, process.identity(), caller=_CALLER, clock=process.clock, log=process.log
        )

    await host(config, process, connect)


async def host(config: HollowNodesConfig, process: Process, connect: Callable[[], Api]) -> None:
    """Be all nodes until cancelled, over connections that `connect` opens."""
    config.root.mkdir(parents=True, exist_ok=True)
    vital, bulk = connect(), connect()
    clock, tasks = process.clock, process.tasks
    try:
        busy = limited(bulk, config.requests)
        alive = limited(vital, _VITAL_AT_ONCE).transport
        renewals_s = clock.timescale.wall(intervals(config.profile).node_lease_renew_s)
        watches = SharedWatches(bulk, tasks, clock, process.log)
        door = SharedDoor(
            alive,
            busy.transport,
            watches,
            WriteBatches(alive, tasks, clock, gather_s=min(_RENEWALS_TOGETHER_S, renewals_s / 10)),
            WriteBatches(busy.transport, tasks, clock, gather_s=_WRITES_TOGETHER_S),
        )
        fleet = Fleet(
            Surroundings(
                config,
                clock,
                process.log,
                process.seam,
                door,
                _machine(config),
                _serving(config, process),
                since=str(clock.wall_ns()),
            )
        )
        process.pages[PATH] = FleetPages(fleet)
        process.ready()
        _collect_seldom()
        async with asyncio.TaskGroup() as running:
            running.create_task(watches.run(), name="shared-watches")
            running.create_task(fleet.run(), name="fleet")
    finally:
        await vital.aclose()
        await bulk.aclose()


def _collect_seldom() -> None:
    """Look for garbage less often: what nodes are made of stays, and there is much of it."""
    gc.freeze()
    gc.set_threshold(*_GENERATIONS)


def _machine(config: HollowNodesConfig) -> Machine:
    """Return the machine that all nodes are like: what they declare, in the place of this one's."""
    machine = read_machine(config.root, cpu=config.cpu, memory=config.memory)
    amounts = {**machine.capacity, "pods": str(config.pods)}
    return replace(machine, capacity=amounts, allocatable=amounts)


@dataclass(frozen=True, slots=True)
class SharedServerTls(ServerTls):
    """What many servers show, from one context: the files are read once."""

    def ssl_context(self) -> ssl.SSLContext:
        """Return the context of all of them.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
        """
        return _context(ServerTls(self.cert_file, self.key_file, self.client_ca_file, self.require_client))


@cache
def _context(tls: ServerTls) -> ssl.SSLContext:
    return tls.ssl_context()


def _serving(config: HollowNodesConfig, process: Process) -> Callable[[int], ServerTls | None]:
    """Return what the nodes of each certificate show; nothing where there is none, or too few descriptors for all."""
    pairs = list(zip(config.serving_certs, config.serving_keys, strict=True))
    if pairs and config.listen and not has_descriptors(config.nodes):
        process.log.warning(
            "hollow_nodes_not_served",
            nodes=config.nodes,
            why="the limit of open files is too low for a listener each",
            action="raise it (ulimit -n)",
        )
        pairs = []

    def of(certificate: int) -> ServerTls | None:
        if certificate >= len(pairs):
            return None
        return SharedServerTls(*pairs[certificate], config.ca_file)

    return of
