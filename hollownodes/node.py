"""One hollow node: a simulated runtime, a kubelet over it, and the power switch of both.

The kubelet is the one of `kubelet.app`, whole: it registers, renews its lease, reports, runs its pods. What differs from a node
of its own processes is beside it: it has no certificate of its own, shares connections, and its machine is made up.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from hollow.image_service import ImageService
from hollow.runtime_service import RuntimeService
from hollow.simulation import Simulation
from hollownodes.config import HollowNodesConfig
from hollownodes.link import Link
from hollownodes.runtime_channel import RuntimeChannel
from hollownodes.transport import NodeTransport, SharedDoor
from kubelet.app import Kubelet
from kubelet.config import KubeletConfig
from kubelet.core.node_status import Machine
from machinery.client.api import Api
from machinery.client.seam_transport import through
from machinery.model.clock import Clock
from machinery.model.hollow_nodes import LABEL, VALUE, certificate_of, node_name, pod_range
from machinery.model.log import EventLog
from machinery.model.seam import Ends, Seam
from machinery.process.metrics import Metrics
from machinery.process.tls import ServerTls

_BOOTS: Final = uuid.UUID(
    "6d1f8f0a-0f0f-4d0b-9a5e-5a6f1c3b7e21"
)  # a name space of our own for what a node is called


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all nodes of the process have in common."""

    config: HollowNodesConfig
    clock: Clock
    log: EventLog
    seam: Seam | None
    door: SharedDoor
    machine: Machine  # the one that all are like
    tls: Callable[[int], ServerTls | None]  # what the nodes of a certificate show
    since: str  # when the process began: what was on before is switched on anew


class HollowNode:
    """One node, while it has power: `live` runs it."""

    def __init__(self, number: int, around: Surroundings, starts: int) -> None:
        """`starts` is how often it has been switched on: its boot id is another one each time."""
        self.name = node_name(number)
        self._number = number
        self._around = around
        self._starts = starts
        self._api_link, self._runtime_link = Link(around.clock), Link(around.clock)
        self._is_frozen = self._is_cut = False

    async def live(self, registered: Callable[[], None]) -> None:
        """Be the node until cancelled; `registered` is called once it is."""
        async with asyncio.TaskGroup() as tasks:
            kubelet = self._kubelet(tasks)
            tasks.create_task(_told(kubelet.node.registered, registered), name="registered")
            await kubelet.run()

    def cut_power(self) -> None:
        """Ensure that nothing that it still tries has an effect."""
        self._api_link.die()
        self._runtime_link.die()

    def freeze(self) -> None:
        """Stop it where it is: it says nothing, and its runtime does nothing. Idempotent."""
        self._is_frozen = True
        self._settle()

    def thaw(self) -> None:
        """Resume it. Idempotent."""
        self._is_frozen = False
        self._settle()

    def unplug(self) -> None:
        """Cut it off from the apiserver; its pods go on. Idempotent."""
        self._is_cut = True
        self._settle()

    def plug(self) -> None:
        """Join it again. Idempotent."""
        self._is_cut = False
        self._settle()

    def _settle(self) -> None:
        for link, is_held in (
            (self._api_link, self._is_frozen or self._is_cut),
            (self._runtime_link, self._is_frozen),
        ):
            (link.hold if is_held else link.release)()

    def _kubelet(self, tasks: asyncio.TaskGroup) -> Kubelet:
        around, config = self._around, self._around.config
        simulation = Simulation(around.clock, tasks, "")
        channel = RuntimeChannel(
            {
                "runtime.v1.RuntimeService": RuntimeService(simulation),
                "runtime.v1.ImageService": ImageService(simulation, config.pull_time_s),
            },
            self._runtime_link,
        )
        name = f"kubelet@{self.name}"
        transport = through(
            NodeTransport(around.door, self._api_link), around.seam, Ends(name, "apiserver", "resources")
        )
        process = NodeProcess(name, around.clock, NodeLog(around.log, self.name), around.seam)
        folder = config.root / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return Kubelet(
            self._kubelet_config(name, folder),
            process,
            Api(transport),
            channel,
            HostedCertificates(around.tls(certificate_of(self._number))),
            machine=self._machine(),
            pod_cidr=pod_range(config.pod_ranges, self._number) if config.pod_ranges else "",
        )

    def _kubelet_config(self, name: str, folder: Path) -> KubeletConfig:
        config = self._around.config
        is_served = config.listen and self._around.tls(certificate_of(self._number)) is not None
        return KubeletConfig(
            name=name,
            profile=config.profile,
            node_name=self.name,
            node_ip=config.node_ip,
            listen=(f"{config.node_ip}:0",) if is_served else (),
            root_dir=str(folder),
            cpu=config.cpu,
            memory=config.memory,
            node_labels=(f"{LABEL}={VALUE}", *config.node_labels),
            register_with_taints=config.register_with_taints,
            cluster_domain=config.cluster_domain,
            node_status_update_s=config.node_status_update_s,
            image_gc_high_threshold=100,  # simulated images take no disk
            check_invariants=config.check_invariants,
        )

    def _machine(self) -> Machine:
        """Return its machine: like the others, with ids of its own."""
        around = self._around
        of_all = around.machine.system
        id_ = uuid.uuid5(_BOOTS, f"{of_all.machine_id}/{self.name}")
        boot_id = uuid.uuid5(id_, f"{of_all.boot_id}/{around.since}/{self._starts}")
        system = replace(of_all, machine_id=id_.hex, system_uuid=str(id_), boot_id=str(boot_id))
        return replace(around.machine, system=system)


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """What the kubelet takes for its process. Implements `kubelet.hosting.KubeletProcess`."""

    name: str
    clock: Clock
    log: EventLog
    seam: Seam | None
    metrics: Metrics = field(default_factory=Metrics)

    def ready(self) -> None:
        """Say nothing: the host is ready when it serves, the node when its Node says so."""


@dataclass(frozen=True, slots=True)
class NodeLog:
    """The host's log, with the node's name; what a kubelet tells in good times is for who asks for details."""

    log: EventLog
    node: str

    def debug(self, event: str, /, **fields: object) -> None:
        """Log a detail."""
        self.log.debug(event, **{"hollow_node": self.node, **fields})

    info = debug

    def warning(self, event: str, /, **fields: object) -> None:
        """Log what somebody should look at."""
        self.log.warning(event, **{"hollow_node": self.node, **fields})

    def error(self, event: str, /, **fields: object) -> None:
        """Log what is broken."""
        self.log.error(event, **{"hollow_node": self.node, **fields})


@dataclass(frozen=True, slots=True)
class HostedCertificates:
    """The host comes to the apiserver for the node, and its cluster renews what it serves with."""

    tls: ServerTls | None

    def client_ttl_s(self) -> float | None:
        """Return None: it has none of its own."""
        return None

    def renewal_errors(self) -> tuple[int, int]:
        """Return that there were none."""
        return 0, 0

    def serving(self) -> ServerTls:
        """Return what it shows to the apiserver."""
        return self.tls or ServerTls("", "", "")

    async def run(self, api: Api, on_serving: Callable[[str, str], None]) -> None:
        """Return: nothing is to be renewed."""


async def _told(event: asyncio.Event, tell: Callable[[], None]) -> None:
    await event.wait()
    tell()
