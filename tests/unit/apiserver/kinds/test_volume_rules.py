"""PersistentVolumes, their claims, and their classes."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from machinery.model.errors import NotImplementedHere
from tests.support.served_kinds import (
    KINDS,
    complaints,
    created,
    merged,
    read,
    row,
    status_complaints,
    update_complaints,
    updated,
    with_status,
)

MODES = 'supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"'
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
SPEC_FIXED = (
    "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
    "claims"
)
SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of"


def sized(amount: str) -> Json:
    return {"requests": {"storage": amount}}


def claim(**spec: Any) -> Json:
    own = {"accessModes": ["ReadWriteOnce"], "resources": sized("1Gi"), **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": own}


def volume(**spec: Any) -> Json:
    own = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "hostPath": {"path": "/data"},
        **spec,
    }
    own = {name: value for name, value in own.items() if value is not None}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": own}


def other(**source: Any) -> Json:
    return volume(hostPath=None, **source)


def storage_class(**fields: Any) -> Json:
    own = {"provisioner": "example.com/disk", **fields}
    return {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}, **own}


def topologies(*expressions: Json) -> Json:
    return storage_class(allowedTopologies=[{"matchLabelExpressions": list(expressions)}])


SOURCE = {"kind": "PersistentVolumeClaim", "name": "other"}
SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}
ZONE = {"key": "zone", "values": ["a"]}


def test_defaults_are_those_that_kubernetes_documents() -> None:
    """Of claims, volumes and classes."""
    made = created(claim())
    assert (made["spec"]["volumeMode"], made["status"]) == ("Filesystem", {"phase": "Pending"})
    made = created(volume())
    assert made["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert made["spec"]["hostPath"] == {"path": "/data", "type": ""}
    assert made["status"] == {"phase": "Pending", "lastPhaseTransitionTime": "2026-01-01T00:00:00Z"}
    made = created(storage_class())
    assert (made["reclaimPolicy"], made["volumeBindingMode"]) == ("Delete", "Immediate")


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (claim(accessModes=[]), ["spec.accessModes: Required value: at least 1 access mode is required"]),
        (claim(accessModes=["Any"]), [f'spec.accessModes: Unsupported value: "Any": {MODES}']),
        (claim(accessModes=["ReadWriteOncePod", "ReadWriteOnce"]), ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"]),
        (claim(resources={}), ["spec.resources[storage]: Required value"]),
        (claim(resources=sized("0")), ['spec.resources[storage]: Invalid value: "0": must be greater than zero']),
        (claim(volumeMode="Tape"), ['spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"']),
        (claim(dataSourceRef={"kind": "", "name": ""}), ["spec.dataSource.name: Required value", "spec.dataSource.kind: Required value", "spec.dataSource: Invalid value: \"\": must be 'PersistentVolumeClaim' when referencing the default apiGroup", "spec.dataSourceRef.name: Required value", "spec.dataSourceRef.kind: Required value", "spec.dataSourceRef: Invalid value: \"\": must be 'PersistentVolumeClaim' when referencing the default apiGroup"]),
        (claim(dataSource=SOURCE, dataSourceRef=SNAPSHOT), ['spec: Invalid value: "spec.dataSource": must match dataSourceRef']),
        (claim(dataSource=SOURCE, dataSourceRef={**SOURCE, "namespace": "x"}), ['spec: Invalid value: "spec.dataSource": may not be specified when dataSourceRef.namespace is specified']),
        (volume(accessModes=[]), ["spec.accessModes: Required value"]),
        (volume(accessModes=["Any"]), [f'spec.accessModes: Unsupported value: "Any": {MODES}']),
        (volume(capacity={}), ["spec.capacity: Required value", 'spec.capacity: Unsupported value: {}: supported values: "storage"']),
        (volume(capacity={"storage": "1", "cpu": "1"}), ['spec.capacity: Unsupported value: {"storage":"1","cpu":"1"}: supported values: "storage"']),
        (volume(capacity={"storage": "-1"}), ['spec.capacity[storage]: Invalid value: "-1": must be greater than zero']),
        (volume(persistentVolumeReclaimPolicy="Keep"), ['spec.persistentVolumeReclaimPolicy: Unsupported value: "Keep": supported values: "Delete", "Recycle", "Retain"']),
        (volume(nodeAffinity={}), ["spec.nodeAffinity.required: Required value: must specify required node constraints"]),
        (volume(nodeAffinity={"required": {"nodeSelectorTerms": []}}), ["spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term"]),
        (volume(hostPath={"path": ""}), ["spec.hostPath.path: Required value"]),
        (volume(hostPath={"path": "/a/../b"}), ['spec.hostPath.path: Invalid value: "/a/../b": must not contain \'..\'']),
        (volume(hostPath={"path": "/"}, persistentVolumeReclaimPolicy="Recycle"), ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"]),
        (volume(nfs={"server": "s", "path": "/"}), ["spec.nfs: Forbidden: may not specify more than 1 volume type"]),
        (volume(volumeMode="Tape"), ['spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"']),
        (other(), ["spec: Required value: must specify a volume type"]),
        (other(nfs={"server": "", "path": "/"}), ["spec.nfs.server: Required value"]),
        (other(nfs={"server": "s", "path": ""}), ["spec.nfs.path: Required value", 'spec.nfs.path: Invalid value: "": must be an absolute path']),
        (other(nfs={"server": "s", "path": "a"}), ['spec.nfs.path: Invalid value: "a": must be an absolute path']),
        (other(local={"path": "/d"}), ["spec.nodeAffinity: Required value: Local volume requires node affinity"]),
        (other(local={"path": ""}), ["spec.local.path: Required value", "spec.nodeAffinity: Required value: Local volume requires node affinity"]),
        (other(csi={"driver": "", "volumeHandle": ""}), ["spec.csi.driver: Required value", "spec.csi.volumeHandle: Required value"]),
        (other(csi={"driver": "d", "volumeHandle": "v", "nodeStageSecretRef": {}, "nodePublishSecretRef": {"name": "n"}}), ["spec.csi.nodePublishSecretRef.namespace: Required value"]),
        (other(csi={"driver": "d", "volumeHandle": "v"}, volumeAttributesClassName=""), ["spec.volumeAttributesClassName: Required value: an empty string is disallowed"]),
        (volume(volumeAttributesClassName="gold"), ["spec.csi: Required value: has to be specified when using volumeAttributesClassName"]),
        (storage_class(provisioner=""), ["provisioner: Required value"]),
        (storage_class(parameters={"": "x"}), ['parameters: Invalid value: "": field can not be empty.']),
        (storage_class(parameters={str(n): "" for n in range(513)}), ["parameters: Too long: may not be more than 512 bytes"]),
        (storage_class(parameters={"a": "x" * 262_144}), ["parameters: Too long: may not be more than 262144 bytes"]),
        (storage_class(reclaimPolicy="Recycle"), ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"']),
        (storage_class(volumeBindingMode="Late"), ['volumeBindingMode: Unsupported value: "Late": supported values: "Immediate", "WaitForFirstConsumer"']),
        (topologies({"key": "zone", "values": []}), ["allowedTopologies[0].matchLabelExpressions[0].values: Required value"]),
        (topologies({"key": "zone", "values": ["a", "a"]}), ['allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"']),
        (topologies(ZONE, ZONE), ['allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "zone"']),
        (storage_class(allowedTopologies=[{"matchLabelExpressions": [ZONE]}] * 2), ['allowedTopologies[1].matchLabelExpressions: Duplicate value: ""']),
    ],
)  # fmt: skip
def test_storage_is_refused_in_kubernetes_words(faulty: Json, said: list[str]) -> None:
    """Claims, volumes and classes."""
    assert complaints(faulty) == said


@pytest.mark.parametrize(
    ("faulty", "path"),
    [
        (claim(storageClassName="A"), "spec.storageClassName"),
        (claim(volumeAttributesClassName="A"), "spec.volumeAttributesClassName"),
        (claim(dataSourceRef={**SNAPSHOT, "apiGroup": "A"}), "spec.dataSource.apiGroup"),
        (volume(storageClassName="A"), "spec.storageClassName"),
        (other(csi={"driver": "a_b", "volumeHandle": "v"}), "spec.csi.driver"),
    ],
)
def test_names_of_classes_and_drivers_are_subdomains(faulty: Json, path: str) -> None:
    """As those of most objects."""
    first = complaints(faulty)[0]
    assert first.startswith(f"{path}: Invalid value: ")
    assert SUBDOMAIN in first


@pytest.mark.parametrize("name", ["rbd", "awsElasticBlockStore", "iscsi"])
def test_a_volume_of_a_source_that_is_not_built_is_not_there(name: str) -> None:
    """A 501 that names it."""
    source = {
        "rbd": {"monitors": ["m"], "image": "i"},
        "awsElasticBlockStore": {"volumeID": "v"},
        "iscsi": {"targetPortal": "t", "iqn": "i", "lun": 0},
    }
    with pytest.raises(NotImplementedHere, match=rf"^spec\.{name} is not built"):
        read(other(**{name: source[name]}))


def test_a_claim_says_in_both_fields_where_its_data_comes_from() -> None:
    """A source of another kind in the older field is dropped, as it was before there were two."""
    for field in ("dataSource", "dataSourceRef"):
        own = created(claim(**{field: SNAPSHOT}))["spec"]
        assert own["dataSource"] == own["dataSourceRef"] == SNAPSHOT
    odd = {"apiGroup": "example.com", "kind": "Archive", "name": "a"}
    assert not {"dataSource", "dataSourceRef"} & {*created(claim(dataSource=odd))["spec"]}
    assert created(claim(dataSourceRef=odd))["spec"]["dataSource"] == odd
    far = {**SOURCE, "namespace": "there"}
    assert "dataSource" not in created(claim(dataSourceRef=far))["spec"]


def bound(**spec: Any) -> Json:
    made = created(claim(storageClassName="fast", volumeName="pv", **spec))
    return {**made, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}


@pytest.mark.parametrize(
    ("old", "changes", "said"),
    [
        (bound(), {"resources": sized("2Gi")}, []),
        (bound(resources=sized("4Gi")), {"resources": sized("2Gi")}, []),
        (bound(resources=sized("4Gi")), {"resources": sized("1Gi")}, ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"]),
        (bound(), {"volumeName": "other"}, [SPEC_FIXED]),
        (bound(), {"storageClassName": "slow"}, [SPEC_FIXED]),
        (bound(), {"accessModes": ["ReadOnlyMany"]}, [SPEC_FIXED]),
        (bound(), {"volumeMode": "Block"}, [SPEC_FIXED, 'volumeMode: Invalid value: "Block": field is immutable']),
        (bound(), {"volumeAttributesClassName": "gold"}, []),
        (bound(volumeAttributesClassName="gold"), {"volumeAttributesClassName": "silver"}, []),
        (bound(volumeAttributesClassName="gold"), {"volumeAttributesClassName": None}, ["spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"]),
        (bound(volumeAttributesClassName="gold"), {"volumeAttributesClassName": ""}, ["spec.volumeAttributesClassName: Forbidden: update from non-nil value to an empty string is forbidden"]),
        (created(claim()), {"volumeName": "pv"}, []),
        (created(claim()), {"storageClassName": "fast"}, []),
        (created(claim()), {"resources": sized("2Gi")}, [SPEC_FIXED]),
    ],
)  # fmt: skip
def test_a_claim_grows_and_stays_what_it_is(old: Json, changes: Json, said: list[str]) -> None:
    """It gets its volume and its class once, and grows when it has the volume."""
    assert update_complaints(merged(old, **changes), old) == said


def test_a_class_that_an_annotation_names_may_become_the_one_of_the_field() -> None:
    """And no other one."""
    made = created(claim())
    old = {**made, "metadata": {**made["metadata"], "annotations": {OLD_CLASS: "fast"}}}
    moved = merged(made, storageClassName="fast")
    assert update_complaints(moved, old) == []
    assert row(old)["StorageClass"] == "fast"
    changed = {**old, "metadata": {**old["metadata"], "annotations": {OLD_CLASS: "slow"}}}
    assert update_complaints(changed, old) == [
        f'metadata.annotations[{OLD_CLASS}]: Invalid value: "slow": field is immutable'
    ]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"capacity": {"storage": "-1"}}, ['status.capacity[storage]: Invalid value: "-1": must be a valid resource quantity']),
        ({"allocatedResources": {"cpu": "1"}}, ['status.allocatedResources: Unsupported value: "cpu": supported values: "storage"']),
        ({"allocatedResources": {"storage": "-1"}}, ['status.allocatedResources[storage]: Invalid value: "-1": must be a valid resource quantity']),
        ({"allocatedResourceStatuses": {"cpu": "NodeResizePending"}}, ['status.allocatedResourceStatus: Unsupported value: "cpu": supported values: "storage"']),
        ({"allocatedResourceStatuses": {"storage": "NodeResizePending"}, "allocatedResources": {"example.com/a": "1"}}, []),
    ],
)  # fmt: skip
def test_the_status_of_a_claim_is_about_storage(status: Json, said: list[str]) -> None:
    """Other resources need a domain."""
    assert status_complaints(bound(), **status) == said


@pytest.mark.parametrize(
    ("old", "changes", "said"),
    [
        (volume(), {"hostPath": {"path": "/x"}}, ["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"]),
        (volume(), {"volumeMode": "Block"}, ['volumeMode: Invalid value: "Block": field is immutable']),
        (volume(), {"capacity": {"storage": "2Gi"}, "persistentVolumeReclaimPolicy": "Delete"}, []),
        (other(csi={"driver": "d", "volumeHandle": "v"}), {"csi": {"driver": "d", "volumeHandle": "v", "controllerExpandSecretRef": {"name": "n", "namespace": "s"}}}, []),
        (other(csi={"driver": "d", "volumeHandle": "v"}), {"csi": {"driver": "d", "volumeHandle": "w"}}, ["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"]),
        (other(csi={"driver": "d", "volumeHandle": "v"}, volumeAttributesClassName="gold"), {"volumeAttributesClassName": None}, ["spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"]),
    ],
)  # fmt: skip
def test_a_volume_keeps_its_source(old: Json, changes: Json, said: list[str]) -> None:
    """What is said about it may change."""
    stored = created(old)
    assert update_complaints(merged(stored, **changes), stored) == said


def test_a_volume_says_where_it_is_only_once() -> None:
    """It may do so later."""
    term = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
    affinity = {"required": {"nodeSelectorTerms": [term]}}
    stored = created(volume())
    placed = merged(stored, nodeAffinity=affinity)
    assert update_complaints(placed, stored) == []
    [said] = update_complaints(
        merged(placed, nodeAffinity={"required": {"nodeSelectorTerms": [term, term]}}), placed
    )
    assert said.startswith("nodeAffinity: Invalid value: ")


def test_a_volume_says_when_its_phase_changed() -> None:
    """Unless the one who changed it does."""
    stored = created(volume())
    stored["status"]["lastPhaseTransitionTime"] = "2025-01-01T00:00:00Z"
    assert with_status(stored, phase="Bound", lastPhaseTransitionTime="2025-01-01T00:00:00Z")["status"] == {
        "phase": "Bound",
        "lastPhaseTransitionTime": "2026-01-01T00:00:00Z",
    }
    said = with_status(stored, phase="Bound", lastPhaseTransitionTime="2025-06-01T00:00:00Z")["status"]
    assert said["lastPhaseTransitionTime"] == "2025-06-01T00:00:00Z"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": {"a": "b"}}, ["parameters: Forbidden: updates to parameters are forbidden."]),
        ({"provisioner": "example.com/tape"}, ["provisioner: Forbidden: updates to provisioner are forbidden."]),
        ({"reclaimPolicy": "Retain"}, ["reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden."]),
        ({"volumeBindingMode": "WaitForFirstConsumer"}, ['volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable']),
        ({"allowVolumeExpansion": True}, []),
    ],
)  # fmt: skip
def test_a_class_changes_only_in_whether_volumes_grow(changes: Json, said: list[str]) -> None:
    """Its volumes have the rest."""
    stored = created(storage_class())
    assert update_complaints({**stored, **changes}, stored) == said


def test_storage_is_printed() -> None:
    """As kubectl shows it; a claim's volume only when it has one."""
    made = {**bound(accessModes=["ReadWriteMany", "ReadOnlyMany"])}
    made["status"]["accessModes"] = ["ReadWriteMany", "ReadOnlyMany"]
    assert row(made) == {
        "Name": "data", "Status": "Bound", "Volume": "pv", "Capacity": "1Gi", "Access Modes": "ROX,RWX",
        "StorageClass": "fast", "VolumeAttributesClass": "<unset>", "Age": "60s", "VolumeMode": "Filesystem",
    }  # fmt: skip
    cells = row(created(claim()))
    assert [cells[name] for name in ("Status", "Volume", "Capacity", "Access Modes", "StorageClass")] == [
        "Pending",
        "",
        "",
        "",
        "",
    ]
    owned = created(volume(claimRef={"namespace": "default", "name": "data"}, storageClassName="fast"))
    assert row(owned) == {
        "Name": "pv", "Capacity": "1Gi", "Access Modes": "RWO", "Reclaim Policy": "Retain", "Status": "Pending",
        "Claim": "default/data", "StorageClass": "fast", "VolumeAttributesClass": "<unset>", "Reason": "", "Age": "60s",
        "VolumeMode": "Filesystem",
    }  # fmt: skip
    chosen = {
        **storage_class(),
        "metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    }
    assert list(row(created(chosen)).values()) == [
        "fast (default)",
        "example.com/disk",
        "Delete",
        "Immediate",
        False,
        "60s",
    ]


def test_volumes_and_claims_are_selected_by_an_older_name() -> None:
    """Beside metadata.name."""
    for obj in (claim(), volume()):
        fields = KINDS[obj["kind"]].rules.fields(created(obj))
        assert fields["name"] == fields["metadata.name"] == obj["metadata"]["name"]


def test_a_change_of_nothing_is_none() -> None:
    """The stored object stays as it is."""
    for obj in (claim(dataSource=SOURCE), volume(), storage_class()):
        stored = created(obj)
        assert updated(stored, stored) == stored
