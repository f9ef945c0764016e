"""Pods of which a small spec asks for much: the pod is told what is too much, and the node's other pods go on."""

from __future__ import annotations

from pathlib import Path

from machinery.model.k8s.core_v1 import EnvVar
from tests.support.builders import container, pod
from tests.support.kubelet import rig


async def test_variables_that_expand_ten_times_each_wait_with_a_reason(tmp_path: Path):
    """The status and the event name the container and the variable; a pod beside it runs."""
    lines = [EnvVar(name="E0", value="0123456789")]
    lines += [EnvVar(name=f"E{number}", value=f"$(E{number - 1})" * 10) for number in range(1, 9)]
    boxes = [container("bomb", env=lines), container("long", args=["x" * 200_000]), container("good")]
    async with rig(tmp_path) as node:
        await node.create(pod("large", containers=boxes))
        await node.create(pod("small"))
        await node.until("small", lambda found: found.status.phase == "Running")
        found = await node.until(
            "large",
            lambda found: (
                found.status.containerStatuses[-1:] and found.status.containerStatuses[2].state.running
            ),
        )
        bomb, long = (each.state.waiting for each in found.status.containerStatuses[:2])
        assert (bomb.reason, long.reason) == ("CreateContainerConfigError", "CreateContainerConfigError")
        assert bomb.message.startswith('environment variable "E5" of container "bomb": ')
        assert long.message.startswith('args[0] of container "long": ')
        await node.until_told("large", "Failed", "Started")
        assert ("Failed", f"Error: {bomb.message}") in await node.events("large")
        assert {each.config.metadata.name for each in node.containers()} == {"good", "main"}
