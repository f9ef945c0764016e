"""The hollow runtime's containers, when the runtime or its machine starts again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hollow.core.lifetime import State
from hollow.simulation import Simulation
from machinery.pb import cri_pb2 as cri
from tests.support.virtual_clock import VirtualClock


async def test_containers_outlive_their_runtime_but_not_their_machine(tmp_path: Path):
    """With the same boot id they go on running; with a new one they have been killed, and their sandbox is not ready."""
    clock = VirtualClock()
    async with asyncio.TaskGroup() as tasks:
        first = _started(clock, tasks, tmp_path, "boot-1")
        first.configure(pod_cidr="10.1.0.0/24", images={"app:1": 0.0})
        metadata = cri.PodSandboxMetadata(name="web", namespace="default", uid="u1")
        sandbox = first.run_sandbox(cri.PodSandboxConfig(metadata=metadata), "")
        config = cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name="main"), image=cri.ImageSpec(image="app:1")
        )
        container = first.create(sandbox, config)
        first.start(container)
        same = _started(clock, tasks, tmp_path, "boot-1")
        assert same.containers[container.id].state(clock.now()) is State.RUNNING
        other = _started(clock, tasks, tmp_path, "boot-2")
        dead = other.containers[container.id]
        assert dead.state(clock.now()) is State.EXITED
        assert other.status_of(dead).exit_code == 137
        assert not other.sandboxes[sandbox.id].is_ready
        assert (other.node.pod_cidr, list(other.node.images)) == ("10.1.0.0/24", ["app:1"])


def _started(clock: VirtualClock, tasks: asyncio.TaskGroup, folder: Path, boot_id: str) -> Simulation:
    simulation = Simulation(clock, tasks, str(folder))
    simulation.boot(boot_id)
    return simulation
