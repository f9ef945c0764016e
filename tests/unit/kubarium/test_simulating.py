"""From files to objects that the scheduler decides on, and from its answer to what people read."""

from __future__ import annotations

from typing import Any

import pytest

from kubarium.core.simulating.amounts import written
from kubarium.core.simulating.completing import Completion
from kubarium.core.simulating.manifests import Item, ManifestError, Place, read_items
from kubarium.core.simulating.quantities import with_quantities
from kubarium.core.simulating.report import simulation_of
from kubarium.core.simulating.workloads import expand
from machinery.model.simulation import Answer, NodeUse, Placement
from tests.support.builders import node, taint

HERE = Place("pods.yaml", 1)
CONTAINER = {"name": "main", "image": "app:1"}


def item(kind: str, name: str = "web", api_version: str = "v1", **fields: Any) -> Item:
    meta = {"name": name, "namespace": "default"}
    return Item(HERE, {"apiVersion": api_version, "kind": kind, "metadata": meta, **fields})


def workload(kind: str, template: dict[str, Any] | None = None, **spec: Any) -> Item:
    made = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}}
    return item(kind, api_version="apps/v1", spec={"template": template or made, **spec})


def pods_of(found: list[Item]) -> list[str]:
    return [each.obj["metadata"]["name"] for each in found if each.kind == "Pod"]


# -- documents --


def test_lists_are_taken_apart():
    """Also those of one kind, whose items do not say what they are; empty documents are passed over."""
    pod = {"metadata": {"name": "a"}, "spec": {}}
    found = read_items(
        "state.yaml",
        [
            None,
            {"apiVersion": "v1", "kind": "PodList", "items": [pod]},
            {
                "apiVersion": "v1",
                "kind": "List",
                "items": [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}],
            },
        ],
    )
    assert [(each.key, str(each.place)) for each in found] == [
        (("Pod", "default", "a"), "state.yaml, document 2, items[0]"),
        (("Node", "", "n"), "state.yaml, document 3, items[0]"),
    ]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("text", "f, document 1: has to be an object with apiVersion and kind"),
        ({"apiVersion": "v1"}, "f, document 1: kind: has to be there, as text"),
        ({"kind": "Pod"}, "f, document 1: apiVersion: has to be there, as text"),
        ({"apiVersion": "v1", "kind": "Pod"}, "f, document 1 (Pod): metadata: has to be an object"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {}}, "f, document 1 (Pod): metadata.name: has to be there, as text"),
        ({"apiVersion": "v1", "kind": "List", "items": {}}, None),
        ({"apiVersion": "v1", "kind": "List", "items": 5}, "f, document 1: items: has to be a list"),
        ({"apiVersion": "v1", "kind": "List", "items": [5]}, "f, document 1, items[0]: has to be an object with apiVersion and kind"),
    ],
)  # fmt: skip
def test_what_is_no_object_is_refused_by_its_place(document: Any, problem: str | None):
    """With the field."""
    if problem is None:
        assert read_items("f", [document]) == []
        return
    with pytest.raises(ManifestError) as refused:
        read_items("f", [document])
    assert str(refused.value) == problem


# -- workloads --


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (workload("Deployment"), ["web-0"]),
        (workload("Deployment", replicas=2), ["web-0", "web-1"]),
        (workload("ReplicaSet", replicas=0), []),
        (workload("ReplicationController", replicas=1), ["web-0"]),
        (workload("StatefulSet", replicas=2), ["web-0", "web-1"]),
        (workload("Job", parallelism=3, completions=2), ["web-0", "web-1"]),
        (workload("Job"), ["web-0"]),
        (item("ConfigMap"), []),
    ],
)
def test_a_workload_stands_for_its_pods(made: Item, names: list[str]):
    """As many as its controller would have at once."""
    assert pods_of(expand(made, [])) == names


def test_pods_of_a_workload_are_its_own():
    """With its template's labels, and its controller as their owner, which spreading looks at."""
    found = expand(workload("Deployment", selector={"matchLabels": {"app": "web"}}), [])
    assert [each.kind for each in found] == ["ReplicaSet", "Pod"]
    meta = found[1].obj["metadata"]
    assert (meta["labels"], meta["ownerReferences"][0]["kind"], meta["ownerReferences"][0]["controller"]) == (
        {"app": "web"},
        "ReplicaSet",
        True,
    )


def test_a_cron_job_stands_for_one_of_its_jobs():
    """The pods that run side by side."""
    job = {"spec": {"parallelism": 2, "completions": 9, "template": {"spec": {"containers": [CONTAINER]}}}}
    assert pods_of(expand(item("CronJob", spec={"jobTemplate": job}), [])) == ["web-0", "web-1"]


def test_a_stateful_set_brings_its_claims():
    """Each pod's volumes stand for its own."""
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    found = expand(workload("StatefulSet", volumeClaimTemplates=[claim]), [])
    assert [each.key for each in found] == [
        ("PersistentVolumeClaim", "default", "data-web-0"),
        ("Pod", "default", "web-0"),
    ]
    assert found[1].obj["spec"]["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}
    ]


def test_a_volume_that_is_made_for_a_pod_is_made():
    """By the name that its controller would give it, owned by the pod."""
    volume = {
        "name": "scratch",
        "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}},
    }
    claim, _ = expand(item("Pod", spec={"containers": [CONTAINER], "volumes": [volume]}), [])
    assert claim.key == ("PersistentVolumeClaim", "default", "web-scratch")
    assert claim.obj["metadata"]["ownerReferences"][0]["name"] == "web"


def test_a_daemon_set_has_a_pod_for_each_node_that_it_would_have_one_on():
    """Not where its selector or a taint keeps it away; a cordon does not."""
    template = {"spec": {"containers": [CONTAINER], "nodeSelector": {"disk": "ssd"}}}
    nodes = [
        node("a", labels={"disk": "ssd"}, unschedulable=True, taints=[taint("node.kubernetes.io/unschedulable")]),
        node("b"),
        node("c", labels={"disk": "ssd"}, taints=[taint("only")]),
    ]  # fmt: skip
    [pod] = expand(workload("DaemonSet", template), nodes)
    required = pod.obj["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["nodeSelectorTerms"][0]["matchFields"][0]["values"] == ["a"]


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (item("Deployment", spec={}), "spec.template: has to be an object"),
        (item("Deployment"), "spec: has to be an object"),
        (workload("Deployment", replicas="3"), "spec.replicas: has to be a whole number from 0 to 100000, not '3'"),
        (workload("Job", parallelism=-1), "spec.parallelism: has to be a whole number from 0 to 100000, not -1"),
        (workload("Deployment", {"metadata": {}}), "spec.template.spec: has to be an object"),
        (workload("StatefulSet", volumeClaimTemplates=5), "spec.volumeClaimTemplates: has to be a list of claims"),
    ],
)  # fmt: skip
def test_a_workload_that_makes_no_sense_is_refused_by_its_field(made: Item, problem: str):
    """And by where it stands."""
    with pytest.raises(ManifestError) as refused:
        expand(made, [])
    assert str(refused.value) == f"pods.yaml, document 1 ({made.kind} default/web): {problem}"


# -- what is left out --


def completed(made: Item, *cluster: Item) -> dict[str, Any]:
    return Completion(cluster).complete(made)


def test_a_container_requests_its_limits():
    """Where it says nothing else of a resource."""
    resources = {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}
    spec = completed(item("Pod", spec={"containers": [{**CONTAINER, "resources": resources}]}))["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


def test_a_pod_gets_the_priority_of_its_class():
    """The system's classes are always there; a default one is for pods that name none."""
    high = item("PriorityClass", "high", value=7, preemptionPolicy="Never")
    default = item("PriorityClass", "low", value=3, globalDefault=True)
    assert completed(item("Pod", spec={"priorityClassName": "high"}), high)["spec"]["priority"] == 7
    assert (
        completed(item("Pod", spec={"priorityClassName": "high"}), high)["spec"]["preemptionPolicy"]
        == "Never"
    )
    assert completed(item("Pod", spec={}), high, default)["spec"]["priority"] == 3
    assert completed(item("Pod", spec={"priority": 1}), default)["spec"]["priority"] == 1
    assert (
        completed(item("Pod", spec={"priorityClassName": "system-node-critical"}))["spec"]["priority"]
        == 2_000_001_000
    )
    with pytest.raises(ManifestError, match=r'spec\.priorityClassName: there is no PriorityClass "gone"'):
        completed(item("Pod", spec={"priorityClassName": "gone"}))


def test_nodes_claims_and_runtime_classes_are_completed():
    """Allocatable by capacity, the default StorageClass, the overhead."""
    assert completed(item("Node", status={"capacity": {"cpu": "1"}}))["status"]["allocatable"] == {"cpu": "1"}
    class_ = item("StorageClass", "fast")
    class_.obj["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    assert completed(item("PersistentVolumeClaim", spec={}), class_)["spec"]["storageClassName"] == "fast"
    vm = item("RuntimeClass", "vm", overhead={"podFixed": {"cpu": "250m"}})
    assert completed(item("Pod", spec={"runtimeClassName": "vm"}), vm)["spec"]["overhead"] == {"cpu": "250m"}
    with pytest.raises(ManifestError, match=r'spec\.runtimeClassName: there is no RuntimeClass "vm"'):
        completed(item("Pod", spec={"runtimeClassName": "vm"}))


def test_amounts_may_be_numbers():
    """As YAML writes them; what is none is refused by its field."""
    assert with_quantities(item("Node", status={"capacity": {"cpu": 2}}))["status"]["capacity"] == {
        "cpu": "2"
    }
    containers = [CONTAINER, {**CONTAINER, "resources": {"requests": {"cpu": "lots"}}}]
    with pytest.raises(ManifestError, match=r"spec.containers\[1\].resources.requests.cpu: 'lots': "):
        with_quantities(item("Pod", spec={"containers": containers}))
    with pytest.raises(ManifestError, match=r"status.capacity.cpu: has to be 0 or more, not '-1'"):
        with_quantities(item("Node", status={"capacity": {"cpu": "-1"}}))


# -- the answer --


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [
        ("cpu", 1500, "1500m"),
        ("cpu", 2000, "2"),
        ("memory", 1536 * 2**20, "1.5Gi"),
        ("memory", 0, "0"),
        ("ephemeral-storage", 2**30, "1Gi"),
        ("example.com/gpu", 3, "3"),
    ],
)
def test_amounts_are_written_as_people_write_them(resource: str, amount: int, text: str):
    """In the unit that keeps them short."""
    assert written(resource, amount) == text


def test_reasons_are_told_once():
    """With the pods that have them; and what is requested in all, before and after."""
    left = [
        Placement(n, "default", f"big-{n}", 0, {"cpu": 9000}, reason="Unschedulable", message="no room")
        for n in range(5)
    ]
    gone = Placement(9, "default", "web", 0, {"cpu": 1000}, node="a", score=5, ties=1)
    room = {"cpu": 4000, "memory": 2**30, "example.com/gpu": 2}
    found = simulation_of(
        Answer(
            before=[NodeUse("a", room, {"cpu": 1000})],
            after=[NodeUse("a", room, {"cpu": 2000, "pods": 2})],
            placements=[*left, gone],
        ),
        7,
    )
    assert list(found.reasons()) == [
        "default/big-0, default/big-1, default/big-2 and 2 more: Unschedulable: no room"
    ]
    assert list(found.summary()) == [
        "1 pod placed, 5 left without a node; 1 node, seed 7",
        "cpu: 2 of 4 requested (50 %, before 25 %)",
        "memory: 0 of 1Gi requested (0 %, before 0 %)",
        "example.com/gpu: 0 of 2 requested (0 %, before 0 %)",
    ]
    assert found.node_rows() == [("a", "2/4", "25% → 50%", "0/1Gi", "0%", "2/0")]
