"""What a scheduler keeps of pods, and what pods of a template share of it."""

from __future__ import annotations

from msgspec import structs

from machinery.model.k8s.core_v1 import (
    EmptyDirVolumeSource,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodCondition,
    PodStatus,
    ProjectedVolumeSource,
    Toleration,
    Volume,
)
from scheduler.core.essential import Essentials
from scheduler.core.pod import PodReader
from tests.support.builders import pod


def replica(number: int, node: str = "") -> Pod:
    """Return a pod as the apiserver stores it: each has a volume of its own for its token."""
    token = Volume(name=f"kube-api-access-{number}", projected=ProjectedVolumeSource())
    conditions = [PodCondition(type="PodScheduled", status="True"), PodCondition(type="Ready", status="True")]
    made = pod(
        f"web-{number}",
        labels={"app": "web"},
        requests={"cpu": "1"},
        node=node,
        tolerations=[Toleration(key="a", operator="Exists")],
        volumes=[Volume(name="tmp", emptyDir=EmptyDirVolumeSource()), token],
    )
    return structs.replace(made, status=PodStatus(phase="Running", conditions=conditions))


def test_pods_of_a_template_share_all_that_they_have_in_common() -> None:
    """On whatever node: what lists and maps there are, is there once."""
    essentials = Essentials()
    first, second = essentials.of(replica(1)), essentials.of(replica(2, "node-1"))
    assert (first.metadata.name, second.metadata.name, second.spec.nodeName) == ("web-1", "web-2", "node-1")
    for field in ("containers", "tolerations", "volumes", "initContainers"):
        assert getattr(first.spec, field) is getattr(second.spec, field)
    assert first.metadata.labels is second.metadata.labels
    assert first.status.resourceClaimStatuses is second.status.resourceClaimStatuses


def test_pods_that_differ_do_not_share() -> None:
    """Neither a spec nor labels of another template."""
    essentials, one = Essentials(), replica(1)
    first = essentials.of(one)
    other = structs.replace(one, metadata=structs.replace(one.metadata, labels={"app": "api"}))
    assert essentials.of(other).metadata.labels == {"app": "api"}
    assert essentials.of(pod("b", requests={"cpu": "2"})).spec.containers != first.spec.containers


def test_pods_of_a_template_need_the_same() -> None:
    """So what is known of each node for one of them holds for the next, though the volumes of their tokens differ."""
    essentials, reader = Essentials(), PodReader()
    first, second = (reader.read(essentials.of(replica(number))) for number in (1, 2))
    assert first.needs is second.needs


def test_volumes_that_any_node_has_are_left_out() -> None:
    """Those with claims stay."""
    claim = PersistentVolumeClaimVolumeSource(claimName="data")
    one = pod("a", volumes=[*replica(1).spec.volumes, Volume(name="data", persistentVolumeClaim=claim)])
    assert [each.name for each in Essentials().of(one).spec.volumes] == ["data"]


def test_why_a_pod_waits_is_kept_until_it_has_a_node() -> None:
    """It is compared with what would be written next."""
    kept = {node: Essentials().of(replica(1, node)).status for node in ("", "node-1")}
    assert [each.type for each in kept[""].conditions] == ["PodScheduled"]
    assert kept["node-1"].conditions == []
    assert kept["node-1"].phase == "Running"
