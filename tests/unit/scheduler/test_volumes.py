"""Where pods with claims go, and what their claims get there."""

from __future__ import annotations

from typing import Any

import pytest

from machinery.model.k8s.core_v1 import (
    AWSElasticBlockStoreVolumeSource,
    CSIPersistentVolumeSource,
    EphemeralVolumeSource,
    GCEPersistentDiskVolumeSource,
    ISCSIVolumeSource,
    PersistentVolumeClaimVolumeSource,
    RBDVolumeSource,
    TopologySelectorLabelRequirement,
    TopologySelectorTerm,
    Volume,
)
from machinery.model.k8s.meta_v1 import LabelSelector, ObjectMeta, OwnerReference
from machinery.model.k8s.storage_v1 import CSINode, CSINodeDriver, CSINodeSpec, VolumeNodeResources
from machinery.model.storage import NO_PROVISIONER, SELECTED_NODE
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.plugins import volume_binding
from scheduler.core.plugins.volume_binding import Written
from scheduler.core.registry import helps
from scheduler.core.schedule import Bind, Unschedulable
from scheduler.core.storage_capacity import has_grown
from tests.support.builders import changed, node, pod
from tests.support.claims import bound, claim, csi_driver, only_on, room, storage_class, volume
from tests.support.scheduler import Decider, volumes_of

HOST = "kubernetes.io/hostname"
OWNER = OwnerReference(apiVersion="v1", kind="Pod", name="web", uid="uid-default-web", controller=True)
ALONE = ("ReadWriteOncePod",)
NODE_CONFLICT = "2 node(s) didn't match PersistentVolume's node affinity"
BIND_CONFLICT = "2 node(s) didn't find available persistent volumes to bind"


def user_of(*names: str, name: str = "web", **spec: Any) -> Any:
    """Return a pod that uses claims."""
    volumes = [
        Volume(name=each, persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName=each))
        for each in names or ("data",)
    ]
    return pod(name, volumes=volumes, **spec)


def made_for(name: str = "web") -> Any:
    """Return a pod that has a generic ephemeral volume."""
    return pod(name, volumes=[Volume(name="data", ephemeral=EphemeralVolumeSource())])


def cluster(*objects: Any, labels: dict[str, str] | None = None) -> Decider:
    """Return two nodes and what there is of storage."""
    named = [f"node-{number}" for number in (1, 2)]
    world = Decider(*(node(name, labels={HOST: name, **(labels or {})}) for name in named))
    storage = world.snapshot.storage
    put = {
        "PersistentVolumeClaim": storage.set_claim,
        "PersistentVolume": storage.set_volume,
        "StorageClass": storage.set_class,
        "CSINode": storage.set_csi_node,
        "CSIDriver": storage.set_csi_driver,
        "CSIStorageCapacity": storage.set_capacity,
    }
    for obj in objects:
        put[obj.kind](obj)
    return world


def decided(world: Decider, asked: Any) -> tuple[str, list[tuple[str, str]], list[str]] | str:
    """Return the node, the claims with their volumes, the claims that get a new one; or the reasons."""
    match world.decide(asked):
        case Bind(where, _, _, _) as decision:
            volumes = volumes_of(decision)
            pairs = [(each.claim.metadata.name, each.volume.metadata.name) for each in volumes.bindings]
            return where, pairs, [each.metadata.name for each in volumes.provisions]
        case Unschedulable(message):
            return message.partition("available: ")[2].partition(". no new claims")[0]


WAITING = claim(storage_class="standard")
STANDARD = storage_class()
BY_HAND = storage_class(provisioner=NO_PROVISIONER)
OF_CLASS = {"storage_class": "standard"}
ONLY_2 = {"nodeAffinity": only_on("node-2")}
GONE = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("objects", "asked", "expected"),
    [
        # what keeps a pod from every node
        ([], user_of(), 'persistentvolumeclaim "data" not found'),
        ([], made_for(), 'waiting for ephemeral volume controller to create the persistentvolumeclaim "web-data"'),
        ([claim()], user_of(), volume_binding.UNBOUND),
        ([WAITING], user_of(), volume_binding.UNBOUND),  # a class that is not there
        ([WAITING, storage_class(waits=False)], user_of(), volume_binding.UNBOUND),
        ([changed(WAITING, spec__volumeName="pv"), STANDARD], user_of(), volume_binding.UNBOUND),
        ([claim(phase="Lost", volumeName="pv")], user_of(), 'persistentvolumeclaim "data" bound to non-existent persistentvolume "pv"'),
        ([claim(metadata=GONE)], user_of(), 'persistentvolumeclaim "data" is being deleted'),
        ([claim("web-data")], made_for(), "PVC default/web-data was not created for pod default/web (pod is not owner)"),
        ([bound(claim(), "pv")], user_of(), 'persistentvolume "pv" not found'),
        ([bound(claim("web-data", metadata={"ownerReferences": [OWNER]}), "pv")], made_for(), f"2 {volume_binding.NO_VOLUME}"),
        # bound claims
        ([bound(claim(), "pv"), volume(of=claim())], user_of(), ("node-1", [], [])),
        ([bound(claim(), "pv"), volume(of=claim(), **ONLY_2)], user_of(), ("node-2", [], [])),
        ([bound(claim(), "pv"), volume(of=claim(), nodeAffinity=only_on("node-9"))], user_of(), NODE_CONFLICT),
        ([bound(claim("web-data", metadata={"ownerReferences": [OWNER]}), "pv"), volume(**ONLY_2)], made_for(), ("node-2", [], [])),
        # claims that wait for the pod: a volume that is there
        ([WAITING, BY_HAND, volume(**OF_CLASS, **ONLY_2)], user_of(), ("node-2", [("data", "pv")], [])),
        ([WAITING, BY_HAND, volume("big", "9Gi", **OF_CLASS), volume("pv", "2Gi", **OF_CLASS)], user_of(), ("node-1", [("data", "pv")], [])),
        ([WAITING, BY_HAND, volume(size="1Mi", **OF_CLASS)], user_of(), BIND_CONFLICT),
        ([WAITING, BY_HAND, volume()], user_of(), BIND_CONFLICT),
        ([WAITING, BY_HAND, volume(**OF_CLASS, phase="Released")], user_of(), BIND_CONFLICT),
        ([WAITING, BY_HAND, volume(**OF_CLASS, of=claim("other"))], user_of(), BIND_CONFLICT),
        ([changed(WAITING, spec__selector=LabelSelector(matchLabels={"a": "b"})), BY_HAND, volume(**OF_CLASS)], user_of(), BIND_CONFLICT),
        ([WAITING, BY_HAND, volume("free", **OF_CLASS), volume("reserved", **OF_CLASS, of=WAITING, **ONLY_2)], user_of(), ("node-2", [("data", "reserved")], [])),
        # … or a new one
        ([WAITING, STANDARD], user_of(), ("node-1", [], ["data"])),
        ([changed(WAITING, metadata__annotations={SELECTED_NODE: "node-2"}), STANDARD], user_of(), ("node-2", [], ["data"])),
        ([changed(WAITING, metadata__annotations={SELECTED_NODE: "node-9"}), STANDARD], user_of(), BIND_CONFLICT),
        ([WAITING, claim("more", "5Gi", storage_class="standard"), STANDARD, volume(size="1Gi", **OF_CLASS)], user_of("more", "data"), ("node-1", [("data", "pv")], ["more"])),
        ([WAITING, storage_class(allowedTopologies=[TopologySelectorTerm(matchLabelExpressions=[TopologySelectorLabelRequirement(key=HOST, values=["node-2"])])])], user_of(), ("node-2", [], ["data"])),
    ],
)  # fmt: skip
def test_a_pod_goes_where_its_claims_have_volumes(objects: list[Any], asked: Any, expected: Any):
    """Or says, in Kubernetes' words, why it goes nowhere."""
    assert decided(cluster(*objects), asked) == expected


@pytest.mark.parametrize(
    ("zones", "labels", "expected"),
    [
        ({"topology.kubernetes.io/zone": "b"}, {"topology.kubernetes.io/zone": "a"}, "2 node(s) had no available volume zone"),
        ({"topology.kubernetes.io/zone": "a__b"}, {"topology.kubernetes.io/zone": "a"}, ("node-1", [], [])),
        ({"failure-domain.beta.kubernetes.io/zone": "a"}, {"topology.kubernetes.io/zone": "a"}, ("node-1", [], [])),
        ({"topology.kubernetes.io/region": "r"}, {"topology.kubernetes.io/zone": "a"}, "2 node(s) had no available volume zone"),
        ({"topology.kubernetes.io/zone": "b"}, {}, ("node-1", [], [])),
    ],
)  # fmt: skip
def test_a_volume_is_used_in_its_zone(zones: dict[str, str], labels: dict[str, str], expected: Any):
    """Several zones are possible; a node that says nothing of zones can have every volume."""
    found = volume(of=claim(), metadata={"labels": zones})
    assert decided(cluster(bound(claim(), "pv"), found, labels=labels), user_of()) == expected


NO_SPACE = "2 node(s) did not have enough free storage"
TELLS = csi_driver()
ON_1, ON_2 = {HOST: "node-1"}, {HOST: "node-2"}
TEN = claim(size="10Gi", storage_class="standard")


@pytest.mark.parametrize(
    ("rule", "objects", "expected"),
    [
        ("a driver that does not tell has room", [csi_driver(tells=None)], ("node-1", [], ["data"])),
        ("one that says that it does not, too", [csi_driver(tells=False), room("1Gi", ON_1)], ("node-1", [], ["data"])),
        ("what is no CSI driver is not asked", [room("1Gi", ON_1)], ("node-1", [], ["data"])),
        ("another driver that tells says nothing of this one", [csi_driver("other.example")], ("node-1", [], ["data"])),
        ("a driver that tells has none where it says nothing", [TELLS], NO_SPACE),
        ("room on one node", [TELLS, room("10Gi", ON_2)], ("node-2", [], ["data"])),
        ("one byte too little", [TELLS, room(str(10 * 2**30 - 1), ON_2)], NO_SPACE),
        ("of another class", [TELLS, room("10Gi", ON_2, of="fast")], NO_SPACE),
        ("a volume may be no larger than is said", [TELLS, room("90Gi", ON_2, most="9Gi")], NO_SPACE),
        ("the largest volume counts, not what is free in all", [TELLS, room("1Gi", ON_2, most="10Gi")], ("node-2", [], ["data"])),
        ("nobody knows how much", [TELLS, room(None, ON_2)], NO_SPACE),
        ("of no node", [TELLS, room("10Gi", None)], NO_SPACE),
        ("of every node", [TELLS, room("10Gi", {})], ("node-1", [], ["data"])),
        ("of nodes that none is", [TELLS, room("10Gi", {HOST: "node-9"})], NO_SPACE),
        ("by an expression", [TELLS, room("10Gi", {}, not_on="node-1")], ("node-2", [], ["data"])),
        ("by both", [TELLS, room("10Gi", ON_1, not_on="node-1")], NO_SPACE),
        ("by several labels", [TELLS, room("10Gi", {**ON_2, "rack": "r"})], NO_SPACE),
        ("the one with enough counts", [TELLS, room("1Gi", ON_1), room("10Gi", ON_1, "more")], ("node-1", [], ["data"])),
        ("a volume that is there needs no room", [TELLS, volume(size="10Gi", **OF_CLASS, **ONLY_2)], ("node-2", [("data", "pv")], [])),
        ("topologies come first", [TELLS, room("10Gi", {}), storage_class(allowedTopologies=[TopologySelectorTerm(matchLabelExpressions=[TopologySelectorLabelRequirement(key=HOST, values=["node-9"])])])], BIND_CONFLICT),
        ("a node that was chosen is looked at, too", [TELLS, room("10Gi", ON_1), changed(TEN, metadata__annotations={SELECTED_NODE: "node-2"})], f"1 {volume_binding.NO_SPACE}, 1 {volume_binding.BIND_CONFLICT}"),
    ],
)  # fmt: skip
def test_a_new_volume_is_made_where_its_driver_has_room(rule: str, objects: list[Any], expected: Any):
    """CSIStorageCapacities, by the driver's word and the nodes' labels."""
    assert decided(cluster(TEN, STANDARD, *objects), user_of()) == expected, rule


def test_room_that_changes_is_looked_at_afresh():
    """Less, more, gone; and a driver that tells no longer."""
    world = cluster(TEN, STANDARD, TELLS, room("10Gi", ON_2))
    storage = world.snapshot.storage
    assert decided(world, user_of()) == ("node-2", [], ["data"])
    storage.set_capacity(room("9Gi", ON_2))
    assert decided(world, user_of()) == NO_SPACE
    storage.set_capacity(room("11Gi", ON_1))
    assert decided(world, user_of()) == ("node-1", [], ["data"])
    storage.remove_capacity(room("11Gi", ON_1))
    assert decided(world, user_of()) == NO_SPACE
    storage.remove_csi_driver(TELLS)
    assert decided(world, user_of()) == ("node-1", [], ["data"])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, room("1Gi", ON_1), True),
        (None, room(None, ON_1), False),
        (room(None, ON_1), room("1Gi", ON_1), True),
        (room("1Gi", ON_1), room("2Gi", ON_1), True),
        (room("2Gi", ON_1), room("2Gi", ON_1), False),
        (room("2Gi", ON_1), room("1Gi", ON_1), False),
        (room("9Gi", ON_1, most="1Gi"), room("9Gi", ON_1, most="2Gi"), True),
        (room("1Gi", ON_1, most="1Gi"), room("9Gi", ON_1, most="1Gi"), False),
    ],
)
def test_more_room_may_help_and_less_does_not(old: Any, new: Any, *, expected: bool):
    """What drivers say every minute wakes no pod by itself."""
    assert has_grown(old, new) is expected


def test_a_claim_for_one_pod_has_one_pod():
    """On no node of the cluster a second one, until the first is gone."""
    world = cluster(bound(claim(modes=ALONE), "pv"), volume(of=claim(), modes=ALONE))
    world.run(changed(user_of(name="first"), spec__nodeName="node-1"))
    text = "2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
    assert decided(world, user_of()) == text
    world.snapshot.remove_pod("uid-default-first")
    assert decided(world, user_of()) == ("node-1", [], [])


def test_a_node_has_no_more_volumes_than_its_driver_attaches():
    """One that is there already is no more; drivers without a limit, and volumes of the node's own, do not count."""
    drivers = [CSINodeDriver(name="d.example", nodeID="1", allocatable=VolumeNodeResources(count=1))]
    limited = [
        CSINode(metadata=ObjectMeta(name=f"node-{each}"), spec=CSINodeSpec(drivers=drivers))
        for each in (1, 2)
    ]
    disks = [
        changed(volume(name), spec__hostPath=None, spec__csi=CSIPersistentVolumeSource(driver="d.example", volumeHandle=name))
        for name in ("pv-a", "pv-b")
    ]  # fmt: skip
    world = cluster(*limited, *disks, bound(claim("a"), "pv-a"), bound(claim("b"), "pv-b"))
    for number in (1, 2):
        world.run(changed(user_of("a", name=f"of-a-{number}"), spec__nodeName=f"node-{number}"))
    assert decided(world, user_of("b")) == "2 node(s) exceed max volume count"
    assert decided(world, user_of("a", name="more")) == ("node-1", [], [])
    world.snapshot.remove_pod("uid-default-of-a-2")
    assert decided(world, user_of("b")) == ("node-2", [], [])


def test_what_a_decision_gives_away_is_gone_for_the_next_one():
    """Until the watch shows what became of it, or it is undone; the same claim is for the same node then."""
    other = claim("other", storage_class="standard")
    world = cluster(WAITING, other, BY_HAND, volume(**OF_CLASS))
    decision = world.decide(user_of())
    assert isinstance(decision, Bind)
    storage = world.snapshot.storage
    storage.reserve(volumes_of(decision), decision.node)
    assert decided(world, user_of("other", name="late")) == BIND_CONFLICT
    storage.release(volumes_of(decision))
    assert decided(world, user_of("other", name="late")) == ("node-1", [("other", "pv")], [])
    made = cluster(WAITING, STANDARD)
    decision = made.decide(user_of())
    assert isinstance(decision, Bind)
    made.snapshot.storage.reserve(volumes_of(decision), "node-2")
    assert decided(made, user_of()) == ("node-2", [], ["data"])
    made.snapshot.storage.set_claim(WAITING)
    assert decided(made, user_of()) == ("node-1", [], ["data"])


SELECTED = changed(WAITING, metadata__annotations={SELECTED_NODE: "node-1"})
DONE = changed(bound(WAITING, "pv"), metadata__annotations={**bound(WAITING, "pv").metadata.annotations, SELECTED_NODE: "node-1"})  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ([SELECTED], False),
        ([DONE], False),  # its volume has not been seen
        ([DONE, volume(of=WAITING)], True),
        ([changed(SELECTED, spec__volumeName="pv"), volume(of=WAITING)], False),
        ([DONE, volume(of=WAITING, **ONLY_2)], 'pv "pv" node affinity doesn\'t match node "node-1": no matching NodeSelectorTerms'),
        ([WAITING], 'provisioning failed for PVC "data"'),
        ([], 'failed to check provisioning pvc: could not find v1.PersistentVolumeClaim "default/data"'),
    ],
)  # fmt: skip
def test_a_pod_waits_for_its_new_volume(shown: list[Any], expected: bool | str):
    """Until it is bound, or it is seen that it will not be."""
    assert _progress(cluster(WAITING, STANDARD), shown, {}) == expected


@pytest.mark.parametrize(
    ("shown", "written", "expected"),
    [
        ([WAITING, volume(**OF_CLASS, of=WAITING)], 0, False),
        ([bound(WAITING, "pv"), volume(**OF_CLASS, of=WAITING)], 0, True),
        ([bound(WAITING, "pv"), volume(**OF_CLASS, of=WAITING)], 99, False),  # older than what was written
        ([bound(WAITING, "pv"), volume(**OF_CLASS)], 0, 'ClaimRef got reset for pv "pv"'),
        ([WAITING], 0, 'failed to check binding: could not find v1.PersistentVolume "pv"'),
    ],
)
def test_a_pod_waits_for_its_reserved_volume(shown: list[Any], written: int, expected: bool | str):
    """What the watch has not caught up with says nothing."""
    world = cluster(WAITING, BY_HAND, volume(**OF_CLASS))
    assert _progress(world, shown, {"pv": written}) == expected


def _progress(world: Decider, shown: list[Any], written: dict[str, int]) -> bool | str:
    decision = world.decide(user_of())
    assert isinstance(decision, Bind)
    after, where = cluster(*shown), world.snapshot.node("node-1")
    assert where is not None
    return volume_binding.progress(volumes_of(decision), Written(written, {}), where, after.snapshot.storage)


@pytest.mark.parametrize(
    ("plugin", "event", "expected"),
    [
        ("VolumeBinding", ClusterEvent.CLAIM, True),
        ("VolumeBinding", ClusterEvent.STORAGE_CLASS, True),
        ("VolumeBinding", ClusterEvent.POD_GONE, False),
        ("VolumeZone", ClusterEvent.VOLUME, True),
        ("VolumeRestrictions", ClusterEvent.POD_GONE, True),
        ("NodeVolumeLimits", ClusterEvent.CSI_NODE, True),
        ("NodeResourcesFit", ClusterEvent.CLAIM, False),
        ("PodTopologySpread", ClusterEvent.VOLUME, False),
    ],
)
def test_changes_of_storage_wake_whom_they_may_help(plugin: str, event: ClusterEvent, expected: bool):
    """And nobody else."""
    assert helps(event, frozenset({plugin})) is expected


GCE = {"gcePersistentDisk": GCEPersistentDiskVolumeSource(pdName="d")}
GCE_READ = {"gcePersistentDisk": GCEPersistentDiskVolumeSource(pdName="d", readOnly=True)}
EBS_READ = {"awsElasticBlockStore": AWSElasticBlockStoreVolumeSource(volumeID="d", readOnly=True)}
ISCSI = {"iscsi": ISCSIVolumeSource(iqn="d", lun=0, targetPortal="x")}
ISCSI_LUN = {"iscsi": ISCSIVolumeSource(iqn="d", lun=1, targetPortal="y", readOnly=True)}
ISCSI_OTHER = {"iscsi": ISCSIVolumeSource(iqn="e", lun=0, targetPortal="x")}


def rbd(*monitors, image="i", pool="rbd", **fields):
    return {"rbd": RBDVolumeSource(monitors=list(monitors), image=image, pool=pool, **fields)}


@pytest.mark.parametrize(
    ("there", "asked", "fits"),
    [
        (GCE, GCE, False),
        (GCE, GCE_READ, False),
        (GCE_READ, GCE, False),
        (GCE_READ, GCE_READ, True),
        (EBS_READ, EBS_READ, False),
        (ISCSI, ISCSI_LUN, False),
        (ISCSI_LUN, ISCSI_LUN, True),
        (ISCSI, ISCSI_OTHER, True),
        (rbd("a", "b"), rbd("b", "c"), False),
        (rbd("a"), rbd("b"), True),
        (rbd("a"), rbd("a", image="j"), True),
        (rbd("a"), rbd("a", pool="other"), True),
        (rbd("a", readOnly=True), rbd("a", readOnly=True), True),
        (GCE, EBS_READ, True),
    ],
)
def test_some_disks_are_for_one_pod_of_a_node(there, asked, fits):
    """Unless all only read them; on another node, and once the pod is gone, they can be had."""
    world = Decider(node("node-1"), node("node-2", unschedulable=True))
    world.run(pod("there", node="node-1", volumes=[Volume(name="v", **there)]))
    wants = pod(volumes=[Volume(name="v", **asked)])
    assert isinstance(world.decide(wants), Bind) == fits
    if not fits:
        assert "1 node(s) had no available disk" in world.message(wants)
    world.snapshot.remove_pod("uid-default-there")
    assert isinstance(world.decide(wants), Bind)


def test_no_node_is_asked_about_the_volumes_of_a_pod_without_claims():
    """Nor is anything reserved for it, whatever storage there is."""
    world = Decider(node())
    world.snapshot.storage.set_volume(volume())
    assert volume_binding.VolumeBinding().need(world.reader.read(pod()), world.snapshot) is None
