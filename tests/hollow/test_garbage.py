"""What a whole kubelet removes that nobody uses any more: images, dead containers, what is left of pods that have ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kubelet.core.pod_garbage import has_ended
from machinery.model.conditions import find
from machinery.model.k8s.core_v1 import Node, NodeSpec, Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import NODES
from tests.support.builders import container, pod
from tests.support.kubelet import NODE, machine, rig, running_kubelet

PREFIX = "hollow.kubarium.dev/main"


def _ending(name: str, after: str = "0s", code: str = "0", **spec: Any) -> Pod:
    """Build a pod whose container ends by itself."""
    annotations = {f"{PREFIX}.exit-after": after, f"{PREFIX}.exit-code": code}
    return pod(name, meta_fields={"annotations": annotations}, **{"restartPolicy": "Never", **spec})


def _is_told_to_be_over(it: Pod) -> bool:
    """Whether the last status of a pod is there: its sandbox is stopped."""
    ready = find(it.status.conditions, "PodReadyToStartContainers")
    return it.status.phase == "Failed" and ready is not None and ready.status == "False"


async def test_an_image_that_nobody_has_used_for_too_long_is_removed(tmp_path: Path):
    """The one of a pod that runs stays; the metric says why the other went."""
    limits = {"image_minimum_gc_age_s": 1.0, "image_maximum_gc_age_s": 2.0, "image_gc_high_threshold": 100}
    async with rig(tmp_path, time_scale=200.0, **limits) as node:
        for name, image in (("stays", "kept:1"), ("goes", "gone:1")):
            await node.create(pod(name, containers=[container(image=image)]))
            await node.until(name, lambda it: it.status.phase == "Running")
        assert {*node.world.node.images} == {"kept:1", "gone:1"}
        await node.remove("goes")
        await node.until_true(lambda: "gone:1" not in node.world.node.images)
        assert "kept:1" in node.world.node.images
        counted = 'kubelet_image_garbage_collected_total{reason="age"} 1'
        await node.until_true(lambda: counted in list(node.running.image_garbage.lines()))


async def test_as_many_old_instances_of_a_container_are_kept_as_the_node_is_told(tmp_path: Path):
    """Beside the newest; without a limit all of them."""
    async with rig(tmp_path, time_scale=200.0, maximum_dead_containers_per_container=3) as node:
        await node.create(_ending("loops", code="1", restartPolicy="Always"))
        await node.until(
            "loops", lambda it: sum(each.restartCount for each in it.status.containerStatuses) >= 5
        )
        await node.until_true(lambda: len(node.containers("main")) == 4)
        attempts = [each.config.metadata.attempt for each in node.containers("main")]
        assert attempts == [*range(attempts[0], attempts[0] + 4)]


async def test_what_is_left_of_a_pod_that_has_ended_goes_when_the_node_needs_room(tmp_path: Path):
    """Its status stays as it was, also for the next kubelet; a pod that runs keeps its containers."""
    async with machine(tmp_path) as node:
        await node.server.given(
            NODES, Node(metadata=ObjectMeta(name=NODE), spec=NodeSpec(podCIDR="10.77.0.0/24"))
        )
        async with running_kubelet(node) as node.kubelet:
            await node.create(_ending("over", code="3"))
            await node.create(pod("runs"))
            await node.until("over", _is_told_to_be_over)
            await node.until_true(lambda: any(map(has_ended, node.running.workers.lives())))
            before = (await node.until("runs", lambda it: it.status.phase == "Running")).status
            ended = (await node.pod("over")).status
            await node.running.dead_containers.make_room()
            await node.until_true(lambda: len(node.containers()) == 1 and len(node.world.sandboxes) == 1)
            assert (await node.pod("over")).status == ended
        async with running_kubelet(node) as node.kubelet:
            await node.create(pod("next"))
            await node.until("next", lambda it: it.status.phase == "Running")
            assert (await node.pod("over")).status == ended
            assert (await node.pod("runs")).status.containerStatuses == before.containerStatuses
            await node.remove("over")
            await node.until_true(
                lambda: "over" not in {each.metadata.name for each in node.running.workers.pods()}
            )
