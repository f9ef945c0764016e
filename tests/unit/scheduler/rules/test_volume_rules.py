"""VolumeZone, VolumeRestrictions and NodeVolumeLimits: where volumes can be used, and by how many.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/
https://kubernetes.io/docs/concepts/storage/storage-limits/
"""

import pytest

from machinery.model.k8s.core_v1 import CSIPersistentVolumeSource
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.k8s.storage_v1 import CSINode, CSINodeDriver, CSINodeSpec, VolumeNodeResources
from scheduler.core.plugins.node_volume_limits import NodeVolumeLimits
from scheduler.core.plugins.volume_restrictions import VolumeRestrictions
from scheduler.core.plugins.volume_zone import VolumeZone
from tests.support.builders import changed, node
from tests.support.claims import bound, claim, storage_class, volume
from tests.support.scheduler_rules import ask, nodes_of, spec

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
NODES = nodes_of(
    a={ZONE: "a", REGION: "r"},
    b={ZONE: "b", REGION: "r"},
    far={ZONE: "a", REGION: "s"},
    old={OLD_ZONE: "a"},
    bare={},
)


def using(*claims, name="web", where=""):
    volumes = ", ".join(f"{{name: {each}, persistentVolumeClaim: {{claimName: {each}}}}}" for each in claims)
    return spec(f"volumes: [{volumes}]" + (f"\nnodeName: {where}" if where else ""), name)


def stored(*objects):
    def prepare(snapshot):
        put = {
            "PersistentVolumeClaim": snapshot.storage.set_claim,
            "PersistentVolume": snapshot.storage.set_volume,
            "StorageClass": snapshot.storage.set_class,
            "CSINode": snapshot.storage.set_csi_node,
        }
        for each in objects:
            put[each.kind](each)

    return prepare


@pytest.mark.parametrize(
    ("rule", "labels", "fits"),
    [
        ("without labels a volume is used everywhere", {}, "a b bare far old"),
        ("a zone; nodes that say nothing of zones may use every volume", {ZONE: "b"}, "b bare"),
        ("a zone, by its old label on a node", {OLD_ZONE: "a"}, "a bare far old"),
        ("several zones", {ZONE: "a__b"}, "a b bare far"),
        ("a region", {REGION: "r"}, "a b bare"),
        ("a zone and a region have to hold together", {ZONE: "a", REGION: "r"}, "a bare"),
        ("a zone that no node has", {ZONE: "z"}, "bare"),
        ("other labels say nothing", {"zone": "z"}, "a b bare far old"),
    ],
)
def test_a_volume_is_used_in_its_zone(rule, labels, fits):
    """VolumeZone, by the labels of volumes and nodes."""
    objects = stored(bound(claim("data"), "pv"), volume(metadata={"labels": labels}))
    said = ask(VolumeZone(), using("data"), NODES, prepare=objects)
    assert said.fits == fits, rule
    assert set(said.why.values()) <= {"node(s) had no available volume zone"}


def test_all_volumes_of_a_pod_have_to_be_in_reach():
    """In two zones there is no node."""
    objects = stored(
        bound(claim("one"), "pv-1"),
        volume("pv-1", metadata={"labels": {ZONE: "a"}}),
        bound(claim("two"), "pv-2"),
        volume("pv-2", metadata={"labels": {ZONE: "b"}}),
    )
    assert ask(VolumeZone(), using("one", "two"), NODES, prepare=objects).fits == "bare"
    gone = stored(bound(claim("data"), "pv"))
    assert ask(VolumeZone(), using("data"), NODES, prepare=gone).stopped == 'persistentvolume "pv" not found'


def disk(kind, **fields):
    return f"volumes: [{{name: v, {kind}: {fields}}}]".replace("True", "true")


NO_DISK = "node(s) had no available disk"


@pytest.mark.parametrize(
    ("rule", "there", "asked", "why"),
    [
        ("a GCE disk has one pod", disk("gcePersistentDisk", pdName="d"), disk("gcePersistentDisk", pdName="d"), NO_DISK),
        ("another GCE disk", disk("gcePersistentDisk", pdName="d"), disk("gcePersistentDisk", pdName="e"), ""),
        ("a GCE disk that both read", disk("gcePersistentDisk", pdName="d", readOnly=True), disk("gcePersistentDisk", pdName="d", readOnly=True), ""),
        ("a GCE disk that one writes", disk("gcePersistentDisk", pdName="d", readOnly=True), disk("gcePersistentDisk", pdName="d"), NO_DISK),
        ("an EBS volume has one pod, reading or not", disk("awsElasticBlockStore", volumeID="d", readOnly=True), disk("awsElasticBlockStore", volumeID="d", readOnly=True), NO_DISK),
        ("another EBS volume", disk("awsElasticBlockStore", volumeID="d"), disk("awsElasticBlockStore", volumeID="e"), ""),
        ("an iSCSI target by its IQN, whatever the LUN", disk("iscsi", iqn="d", lun=0, targetPortal="x"), disk("iscsi", iqn="d", lun=1, targetPortal="x"), NO_DISK),
        ("another IQN", disk("iscsi", iqn="d", lun=0, targetPortal="x"), disk("iscsi", iqn="e", lun=0, targetPortal="x"), ""),
        ("an RBD image with a monitor in common", disk("rbd", monitors=["a", "b"], image="i", pool="p"), disk("rbd", monitors=["b"], image="i", pool="p"), NO_DISK),
        ("an RBD image of other monitors", disk("rbd", monitors=["a"], image="i", pool="p"), disk("rbd", monitors=["b"], image="i", pool="p"), ""),
        ("an RBD image of another pool", disk("rbd", monitors=["a"], image="i", pool="p"), disk("rbd", monitors=["a"], image="i", pool="q"), ""),
        ("disks of other kinds", disk("gcePersistentDisk", pdName="d"), disk("awsElasticBlockStore", volumeID="d"), ""),
        ("folders of the node are for everybody", disk("hostPath", path="/d"), disk("hostPath", path="/d"), ""),
        ("shares on the network are, too", disk("nfs", server="x", path="/d"), disk("nfs", server="x", path="/d"), ""),
    ],
)  # fmt: skip
def test_some_disks_have_one_pod_on_a_node(rule, there, asked, why):
    """VolumeRestrictions."""
    said = ask(VolumeRestrictions(), spec(asked), [node("n")], [spec(there + "\nnodeName: n", "there")])
    assert said.why.get("n", "") == why, rule


ALONE = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"


@pytest.mark.parametrize(
    ("rule", "modes", "running", "why"),
    [
        ("nobody has it", ("ReadWriteOncePod",), [], {}),
        (
            "a pod has it, anywhere",
            ("ReadWriteOncePod",),
            [using("data", name="there", where="m")],
            {"n": ALONE, "m": ALONE},
        ),
        ("another claim is in use", ("ReadWriteOncePod",), [using("other", name="there", where="m")], {}),
        (
            "a claim for one node may have several pods",
            ("ReadWriteOnce",),
            [using("data", name="there", where="m")],
            {},
        ),
    ],
)
def test_a_claim_for_one_pod_has_one_pod(rule, modes, running, why):
    """VolumeRestrictions, by the access mode ReadWriteOncePod."""
    objects = stored(claim("data", modes=modes), claim("other", modes=modes))
    said = ask(VolumeRestrictions(), using("data"), [node("n"), node("m")], running, objects)
    assert said.why == why, rule


def csi(name, driver="d.example", handle=""):
    source = CSIPersistentVolumeSource(driver=driver, volumeHandle=handle or name)
    return changed(volume(name), spec__hostPath=None, spec__csi=source)


def limit(count, driver="d.example"):
    resources = None if count is None else VolumeNodeResources(count=count)
    return CSINode(
        metadata=ObjectMeta(name="n"),
        spec=CSINodeSpec(drivers=[CSINodeDriver(name=driver, nodeID="n", allocatable=resources)]),
    )


A, B, C = (bound(claim(each), f"pv-{each}") for each in "abc")
VOLUMES = [csi("pv-a"), csi("pv-b"), csi("pv-c")]
FULL = "node(s) exceed max volume count"


@pytest.mark.parametrize(
    ("rule", "objects", "asked", "running", "why"),
    [
        ("room for one more", [A, B, *VOLUMES, limit(2)], using("b"), [using("a", name="x", where="n")], ""),
        ("full", [A, B, *VOLUMES, limit(1)], using("b"), [using("a", name="x", where="n")], FULL),
        ("two at once, room for one", [A, B, *VOLUMES, limit(1)], using("a", "b"), [], FULL),
        ("one that is there already is no more", [A, *VOLUMES, limit(1)], using("a"), [using("a", name="x", where="n")], ""),
        ("two claims of one handle are one volume", [A, B, csi("pv-a", handle="h"), csi("pv-b", handle="h"), limit(1)], using("b"), [using("a", name="x", where="n")], ""),
        ("two pods with one claim use one volume", [A, B, *VOLUMES, limit(2)], using("b"), [using("a", name="x", where="n"), using("a", name="y", where="n")], ""),
        ("a driver without a limit", [A, B, *VOLUMES, limit(None)], using("b"), [using("a", name="x", where="n")], ""),
        ("a node that says nothing of drivers", [A, B, *VOLUMES], using("b"), [using("a", name="x", where="n")], ""),
        ("the limit of another driver", [A, B, *VOLUMES, limit(1, "e.example")], using("b"), [using("a", name="x", where="n")], ""),
        ("volumes of another driver do not count", [A, B, csi("pv-a", "e.example"), csi("pv-b"), limit(1)], using("b"), [using("a", name="x", where="n")], ""),
        ("a limit of zero", [A, *VOLUMES, limit(0)], using("a"), [], FULL),
        ("a volume that is yet to be made counts by its class", [claim("new", storage_class="fast"), storage_class("fast", provisioner="d.example"), A, *VOLUMES, limit(1)], using("new"), [using("a", name="x", where="n")], FULL),
        ("a pod without volumes fits a full node", [A, *VOLUMES, limit(1)], spec(""), [using("a", name="x", where="n")], ""),
        ("volumes that no driver attaches do not count", [A, volume("pv-a"), B, csi("pv-b"), limit(1)], using("b"), [using("a", name="x", where="n")], ""),
    ],
)  # fmt: skip
def test_a_node_has_no_more_volumes_than_its_driver_attaches(rule, objects, asked, running, why):
    """NodeVolumeLimits, by CSINodes."""
    assert ask(NodeVolumeLimits(), asked, [node("n")], running, stored(*objects)).why.get("n", "") == why, (
        rule
    )
