"""PersistentVolumes, their claims, and their classes."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.kinds import KINDS
from apiserver.core.values import Json
from tests.support.served_kinds import (
    complaints,
    created,
    merged,
    row,
    status_complaints,
    update_complaints,
    updated,
    with_status,
)

OLD_CLASS = "volume.beta.kubernetes.io/storage-class"


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


SOURCE = {"kind": "PersistentVolumeClaim", "name": "other"}
SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}


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
        (storage_class(parameters={str(n): "" for n in range(513)}), ["parameters: Too long: may not be more than 512 bytes"]),
        (storage_class(parameters={"a": "x" * 262_144}), ["parameters: Too long: may not be more than 262144 bytes"]),
    ],
)  # fmt: skip
def test_the_parameters_of_a_class_are_bounded(faulty: Json, said: list[str]) -> None:
    """Their number, and all of their text."""
    assert complaints(faulty) == said


def test_a_source_without_a_driver_here_is_stored_with_its_defaults() -> None:
    """As in Kubernetes; what nobody mounts any more is warned of."""
    disk = {"diskName": "d", "diskURI": "https://d"}
    assert created(other(azureDisk=disk))["spec"]["azureDisk"] == {
        **disk,
        "cachingMode": "ReadWrite",
        "kind": "Shared",
        "fsType": "ext4",
        "readOnly": False,
    }
    target = {"targetPortal": "t", "iqn": "iqn.2015-02.example.com:test", "lun": 0}
    assert created(other(iscsi=target))["spec"]["iscsi"] == {**target, "iscsiInterface": "default"}
    rbd = created(other(rbd={"monitors": ["m"], "image": "i"}))
    assert rbd["spec"]["rbd"] == {
        "monitors": ["m"],
        "image": "i",
        "pool": "rbd",
        "user": "admin",
        "keyring": "/etc/ceph/keyring",
    }
    assert KINDS["", "persistentvolumes"].rules.warnings(rbd, None) == (
        "spec.rbd: deprecated in v1.28, non-functional in v1.31+",
    )


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
        (bound(), {"volumeAttributesClassName": "gold"}, []),
        (bound(volumeAttributesClassName="gold"), {"volumeAttributesClassName": "silver"}, []),
        (created(claim()), {"volumeName": "pv"}, []),
        (created(claim()), {"storageClassName": "fast"}, []),
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


def test_the_status_of_a_claim_is_about_storage() -> None:
    """Other resources need a domain."""
    status = {
        "allocatedResourceStatuses": {"storage": "NodeResizePending"},
        "allocatedResources": {"example.com/a": "1"},
    }
    assert status_complaints(bound(), **status) == []


@pytest.mark.parametrize(
    ("old", "changes", "said"),
    [
        (volume(), {"capacity": {"storage": "2Gi"}, "persistentVolumeReclaimPolicy": "Delete"}, []),
        (other(csi={"driver": "d", "volumeHandle": "v"}), {"csi": {"driver": "d", "volumeHandle": "v", "controllerExpandSecretRef": {"name": "n", "namespace": "s"}}}, []),
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


def test_a_class_changes_in_whether_volumes_grow() -> None:
    """Its volumes have the rest."""
    stored = created(storage_class())
    assert update_complaints({**stored, "allowVolumeExpansion": True}, stored) == []


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


def test_a_change_of_nothing_is_none() -> None:
    """The stored object stays as it is."""
    for obj in (claim(dataSource=SOURCE), volume(), storage_class()):
        stored = created(obj)
        assert updated(stored, stored) == stored
