"""What all parts of a kubelet stand on: its configuration, its conversations, and the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kubelet.cgroups import Cgroups
from kubelet.config import KubeletConfig
from kubelet.core.life import Surroundings
from kubelet.core.node_status import Machine
from kubelet.diskless import DisklessFiles
from kubelet.hosting import CriChannel, KubeletProcess
from kubelet.machine_info import IdentityFiles, read_machine
from kubelet.pod_files import PodFiles
from kubelet.runtime import Runtime
from kubelet.situation import Situation
from machinery.client.api import Api
from machinery.client.events import EventRecorder
from machinery.client.limited import limited
from machinery.model.clock import Clock
from machinery.model.log import EventLog

REQUESTS_AT_ONCE: Final = 12  # of all pods together: the node's lease and status are not among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all parts of a kubelet stand on."""

    config: KubeletConfig
    process: KubeletProcess
    vital: Api  # for what keeps the node alive: it never waits behind the pods
    api: Api  # for all else
    machine: Machine
    runtime: Runtime
    events: EventRecorder
    cgroups: Cgroups
    files: PodFiles
    situation: Situation
    is_one_of_many: bool  # in one process, with simulated containers

    @property
    def clock(self) -> Clock:
        """The cluster's time."""
        return self.process.clock

    @property
    def log(self) -> EventLog:
        """Where it tells what happens."""
        return self.process.log

    @property
    def enforces_cpu(self) -> bool:
        """Whether pods are held to their cpu by groups of the node's own."""
        return bool(self.config.cgroup_root)


def make_ground(
    config: KubeletConfig, process: KubeletProcess, api: Api, channel: CriChannel, machine: Machine | None
) -> Ground:
    """Construct it; one of many in a process is handed its `machine`, which another one reads."""
    bounded, clock, log = limited(api, REQUESTS_AT_ONCE), process.clock, process.log
    files = PodFiles if machine is None else DisklessFiles
    around = Surroundings(clock.timescale, "", config.node_ips, config.container_limits.kept_at_once)
    return Ground(
        config=config,
        process=process,
        vital=api,
        api=bounded,
        machine=machine or _read_machine(config),
        runtime=Runtime(channel, clock, caller=process.name if machine is None else ""),
        events=EventRecorder(bounded, component="kubelet", host=config.node_name, clock=clock, log=log),
        cgroups=Cgroups(config.cgroup_root, log=log),
        files=files(config.root, config.cluster_domain),
        situation=Situation(around),
        is_one_of_many=machine is not None,
    )


def _read_machine(config: KubeletConfig) -> Machine:
    identity = IdentityFiles(config.machine_id_file, config.system_uuid_file, config.boot_id_file)
    return read_machine(config.root, cpu=config.cpu, memory=config.memory, identity=identity)
