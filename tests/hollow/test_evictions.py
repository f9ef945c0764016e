"""Pods that a whole kubelet evicts: what they seem to use is said by their annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from machinery.model.conditions import find
from machinery.model.k8s.core_v1 import EmptyDirVolumeSource, Pod, Volume
from machinery.model.resources import NODES
from tests.support.builders import container, pod
from tests.support.kubelet import NODE, Rig, rig
from tests.support.waiting import until

PREFIX = "hollow.kubarium.dev/main"


def _using(
    name: str, memory: str = "4Mi", disk: str = "0", spec: dict[str, Any] | None = None, **fields: Any
) -> Pod:
    annotations = {f"{PREFIX}.memory": memory, f"{PREFIX}.disk": disk}
    meta = {"annotations": annotations}
    return pod(name, containers=[container(**fields)], meta_fields=meta, **(spec or {}))


async def _pressed(node: Rig, type_: str, status: str) -> None:
    async def holds() -> bool:
        condition = find((await node.api.get(NODES, NODE)).status.conditions, type_)
        return condition is not None and condition.status == status

    await until(holds, what=f"{type_}={status}")


async def test_a_container_that_writes_more_than_it_may_is_evicted(tmp_path: Path):
    """Another one of the same size without the limit is not."""
    async with rig(tmp_path) as node:
        await node.create(_using("free", disk="64Mi"))
        await node.create(_using("bound", disk="64Mi", limits={"ephemeral-storage": "32Mi"}))
        found = await node.until("bound", lambda it: it.status.phase == "Failed", limit_s=60)
        assert found.status.reason == "Evicted"
        text = "Pod ephemeral local storage usage exceeds the total limit of containers 32Mi. "
        assert found.status.message == text
        assert ("Evicted", text) in await node.events("bound")
        counted = 'kubelet_evictions{eviction_signal="ephemeralpodfs.limit"} 1'
        assert counted in list(node.running.evictions.lines())
        await node.until("free", lambda it: it.status.phase == "Running")


async def test_a_volume_that_grows_over_its_limit_costs_the_pod(tmp_path: Path):
    """What lies in the folder counts; the folder goes with the pod."""
    async with rig(tmp_path) as node:
        cache = Volume(name="cache", emptyDir=EmptyDirVolumeSource(sizeLimit="1Mi"))
        made = await node.create(_using("web", spec={"volumes": [cache]}))
        await node.until("web", lambda it: it.status.phase == "Running")
        folder = Path(node.process.config.root_dir, "pods", made.metadata.uid)  # type: ignore[attr-defined]
        (folder / "volumes" / "kubernetes.io~empty-dir" / "cache" / "file").write_bytes(b"x" * 2**21)
        found = await node.until("web", lambda it: it.status.phase == "Failed", limit_s=60)
        assert found.status.message == 'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". '
        await node.until_true(lambda: not folder.exists())


async def test_a_node_short_of_memory_evicts_who_asked_for_least(tmp_path: Path):
    """Until there is enough; as long as the transition lasts it takes no other pod that asks for nothing."""
    async with rig(tmp_path, eviction_pressure_transition_period_s=1e6) as node:  # of 4Gi
        await node.create(_using("asks", "3Gi", requests={"memory": "3Gi"}))
        await node.create(_using("small", "500Mi"))
        await node.create(_using("large", "501Mi"))
        found = await node.until("large", lambda it: it.status.phase == "Failed", limit_s=60)
        assert found.status.message.startswith(
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 23Mi. "
            "Container main was using 501Mi, request is 0, has larger consumption of memory. "
        )
        condition = find(found.status.conditions, "DisruptionTarget")
        assert condition is not None
        assert condition.reason == "TerminationByKubelet"
        await node.until_told(NODE, "EvictionThresholdMet")
        await _pressed(node, "MemoryPressure", "True")
        await node.create(_using("late"))
        refused = await node.until("late", lambda it: it.status.phase == "Failed")
        assert refused.status.message == "Pod was rejected: The node had condition: [MemoryPressure]. "
        await node.create(_using("modest", requests={"memory": "1Mi"}))
        await node.until("modest", lambda it: it.status.phase == "Running")
        for name in ("asks", "small", "modest"):
            assert (await node.pod(name)).status.phase == "Running"


async def test_a_node_is_calm_again_after_the_transition_period(tmp_path: Path):
    """Once there is enough, and not before somebody went."""
    async with rig(tmp_path, eviction_pressure_transition_period_s=1.0) as node:
        await node.create(_using("large", "4Gi"))
        await node.until("large", lambda it: it.status.phase == "Failed", limit_s=60)
        await _pressed(node, "MemoryPressure", "False")
        await node.create(_using("next"))
        await node.until("next", lambda it: it.status.phase == "Running")
