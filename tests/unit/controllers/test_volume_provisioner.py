"""What the provisioner plans: a folder and its volume for a claim, and the end of both."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from controllers.core.actions import (
    AskNode,
    Create,
    Delete,
    Documents,
    Facts,
    Lookup,
    Patch,
    Refusal,
)
from controllers.core.caches import Caches
from controllers.core.controller import Settings, Watched
from controllers.volume_provisioner import build
from controllers.volume_provisioner.deleting import SeenVolume
from controllers.volume_provisioner.making import SeenClaim, folders_of
from controllers.volume_provisioner.plan import plan
from machinery.model.k8s.core_v1 import TypedLocalObjectReference
from machinery.model.k8s.meta_v1 import LabelSelector, ObjectMeta
from machinery.model.node_folders import Folders
from machinery.model.profile import intervals
from machinery.model.requests import EventType
from machinery.model.resources import NODES, PERSISTENT_VOLUMES
from machinery.model.storage import (
    BOUND_BY_CONTROLLER,
    DELETION_PROTECTION,
    FOLDER_OF_NODE,
    NODE_FOLDERS,
    PROVISIONED_BY,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
)
from machinery.model.store import Change
from tests.support.builders import node
from tests.support.claims import claim, reference, storage_class, volume
from tests.support.controllers import CREATED, events, moment, writes

HERE = node("node-1", labels={"kubernetes.io/hostname": "host-1"})
CLASS = storage_class(provisioner=NODE_FOLDERS)
CALLED = {STORAGE_PROVISIONER: NODE_FOLDERS, SELECTED_NODE: "node-1"}
WAITING = claim(storage_class="standard", metadata={"annotations": CALLED})
NAME = f"pvc-{WAITING.metadata.uid}"
PAGE = folders_of("node-1")
THERE = msgspec.to_builtins(Folders(root="/var/lib/kubelet/local-volumes", names=[]))
MACHINE = Lookup(NODES, "", "node-1")
FAILED = 'failed to provision volume with StorageClass "standard": '


def seen(**fields: Any) -> SeenClaim:
    """Return a claim that waits for a folder."""
    return SeenClaim(**{"claim": WAITING, "storage_class": CLASS, "node": HERE, "has_volume": False} | fields)


def test_a_folder_is_made_and_then_the_volume_that_is_it():
    """The node says where its folders are; the volume can be used on that node only, and is the claim's already."""
    assert plan(seen(), moment()).needs == (PAGE,)
    made = plan(seen(), moment(), Facts(answers={PAGE: THERE}))
    asked, created = writes(made)
    assert isinstance(asked, AskNode)
    assert (asked.node, asked.method, asked.path) == ("node-1", "Create", f"localVolumes/{NAME}")
    assert isinstance(created, Create)
    found = msgspec.to_builtins(created.object)
    assert found["metadata"] == {
        "name": NAME,
        "annotations": {PROVISIONED_BY: NODE_FOLDERS, BOUND_BY_CONTROLLER: "yes", FOLDER_OF_NODE: "node-1"},
        "finalizers": [DELETION_PROTECTION],
    }
    by_host = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["host-1"]}
    assert found["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "claimRef": msgspec.to_builtins(reference(WAITING)) | {"resourceVersion": "1"},
        "local": {"path": f"/var/lib/kubelet/local-volumes/{NAME}"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [by_host]}]}},
        "persistentVolumeReclaimPolicy": "Delete",
        "storageClassName": "standard",
        "volumeMode": "Filesystem",
    }
    assert [reason for _, reason, _ in events(made)] == ["Provisioning", "ProvisioningSucceeded"]


@pytest.mark.parametrize(
    "fields",
    [
        {"has_volume": True},
        {"storage_class": None},
        {"claim": claim(storage_class="standard", metadata={"annotations": CALLED, "deletionTimestamp": CREATED})},
    ],
)  # fmt: skip
def test_nothing_is_made_for_a_claim_that_has_or_needs_nothing(fields):
    """Nor is anybody asked."""
    made = plan(seen(**fields), moment())
    assert (made.actions, made.needs) == ((), ())


@pytest.mark.parametrize(
    ("spec", "of_class", "why"),
    [
        ({}, {"parameters": {"type": "ssd"}}, 'parameter "type" is not known'),
        ({}, {"mountOptions": ["ro"]}, "a folder takes no mount options"),
        ({"volumeMode": "Block"}, {}, "a folder is no block device: volumeMode has to be Filesystem"),
        ({"selector": LabelSelector()}, {}, "claim Selector is not supported"),
        (
            {"dataSource": TypedLocalObjectReference(kind="PersistentVolumeClaim", name="x")},
            {},
            "a folder begins empty: dataSource is not supported",
        ),
        (
            {"modes": ("ReadWriteMany",)},
            {},
            "a folder is on one node: accessModes have to be ReadWriteOnce or ReadWriteOncePod",
        ),
        ({"metadata": {"annotations": {STORAGE_PROVISIONER: NODE_FOLDERS}}}, {}, "no node was selected"),
    ],
)
def test_what_no_folder_can_be_is_said(spec, of_class, why):
    """Nothing is made."""
    wanted = claim(storage_class="standard", **{"metadata": {"annotations": CALLED}} | spec)
    made = plan(
        seen(claim=wanted, storage_class=storage_class(provisioner=NODE_FOLDERS, **of_class)), moment()
    )
    assert events(made) == [("Warning", "ProvisioningFailed", FAILED + why)]
    assert not writes(made)


def test_a_node_that_does_not_answer_is_asked_again():
    """An event says so."""
    made = plan(seen(), moment(), Facts(answers={PAGE: Refusal("ServiceUnavailable", "no answer in time")}))
    assert events(made) == [("Warning", "ProvisioningFailed", FAILED + "no answer in time")]
    assert made.requeue_after_s == 15


def test_where_the_node_is_gone_the_scheduler_chooses_again():
    """Only where it is really gone."""
    assert plan(seen(node=None), moment()).needs == (MACHINE,)
    assert not plan(seen(node=None), moment(), Facts({MACHINE: ObjectMeta()})).actions
    made = plan(seen(node=None), moment(), Facts({MACHINE: None}))
    (write,) = writes(made)
    assert isinstance(write, Patch)
    assert write.patch["metadata"]["annotations"] == {SELECTED_NODE: None}
    assert events(made)[0][2] == FAILED + 'failed to get target node: node "node-1" not found'


NOTES = {PROVISIONED_BY: NODE_FOLDERS, FOLDER_OF_NODE: "node-1"}
LIVE = Documents(PERSISTENT_VOLUMES, "", "pv")


def folder(
    phase: str = "Released", policy: str = "Delete", *, protected: bool = True, **meta: Any
) -> SeenVolume:
    """Return a volume that is a folder."""
    finalizers = [DELETION_PROTECTION] if protected else []
    metadata = {"annotations": NOTES, "finalizers": finalizers, **meta}
    return SeenVolume(volume(of=claim(), phase=phase, policy=policy, metadata=metadata))


def as_live(seen: SeenVolume, **status: str) -> Facts:
    """Return what a live look at a volume, and at its node, finds."""
    document = msgspec.to_builtins(seen.volume)
    document["status"] |= status
    return Facts({MACHINE: ObjectMeta()}, documents={LIVE: (document,)}, answers={PAGE: THERE})


def test_a_folder_goes_before_its_volume():
    """After a look at both as they are now."""
    released = folder()
    assert plan(released, moment()).needs == (LIVE,)
    asked, deleted = writes(plan(released, moment(), as_live(released)))
    assert isinstance(asked, AskNode)
    assert (asked.node, asked.method, asked.path) == ("node-1", "Delete", "localVolumes/pv")
    assert isinstance(deleted, Delete)
    assert deleted.uid == released.volume.metadata.uid


def test_a_volume_that_is_deleted_is_let_go_when_its_folder_is_gone():
    """So the folder never stays behind."""
    going = folder(deletionTimestamp=CREATED)
    _, freed = writes(plan(going, moment(), as_live(going)))
    assert isinstance(freed, Patch)
    assert freed.patch["metadata"]["finalizers"] == []


def test_a_volume_that_is_in_use_again_keeps_its_folder():
    """Whatever the cache says."""
    assert not plan(folder(), moment(), as_live(folder(), phase="Bound")).actions
    assert not plan(folder(), moment(), Facts(documents={LIVE: ()})).actions


def test_a_dead_node_leaves_the_volume_and_says_why():
    """It is asked again."""
    silent = Facts({MACHINE: ObjectMeta()}, as_live(folder()).collections, as_live(folder()).documents)
    silent = Facts(
        silent.objects, documents=silent.documents, answers={PAGE: Refusal("ServiceUnavailable", "no answer")}
    )
    made = plan(folder(), moment(), silent)
    text = 'the folder of the volume cannot be removed now, node "node-1" is asked again: no answer'
    assert events(made) == [("Warning", "VolumeFailedDelete", text)]
    assert (writes(made), made.requeue_after_s) == ([], 15)


def test_the_folder_of_a_node_that_is_gone_went_with_it():
    """Only the volume is left to be deleted."""
    gone = Facts({MACHINE: None}, documents=as_live(folder()).documents)
    assert [type(write) for write in writes(plan(folder(), moment(), gone))] == [Delete]


@pytest.mark.parametrize(
    ("seen", "finalizers"),
    [
        (folder("Bound", protected=False), [DELETION_PROTECTION]),
        (folder("Bound", "Retain"), []),
        (folder("Released", "Retain", deletionTimestamp=CREATED), []),
        (folder("Bound"), None),
        (folder("Released", "Retain", protected=False), None),
        (folder("Released", protected=False, deletionTimestamp=CREATED), None),
        (folder("Bound", deletionTimestamp=CREATED), None),
    ],
)
def test_a_volume_is_protected_while_its_folder_is_to_go_with_it(seen, finalizers):
    """One that is retained is not: its folder stays."""
    made = writes(plan(seen, moment()))
    assert [write.patch["metadata"]["finalizers"] for write in made if isinstance(write, Patch)] == (
        [] if finalizers is None else [finalizers]
    )


@pytest.mark.parametrize("kind", [EventType.ADDED, EventType.MODIFIED, EventType.DELETED])
def test_a_node_that_comes_late_wakes_the_claims_that_wait_for_it(kind: EventType):
    """The claim may be seen before its node; what a node reports wakes nobody."""
    watched = build(Caches(), Settings(intervals("default"), ())).watched
    by_kind: dict[str, Watched[Any]] = {each.source.resource.kind: each for each in watched}
    claims = by_kind["PersistentVolumeClaim"].source.store
    claims.put(WAITING)
    claims.put(claim("other", storage_class="standard"))
    old, new = (None if kind is gone else HERE for gone in (EventType.ADDED, EventType.DELETED))
    woken = [] if kind is EventType.MODIFIED else [("default", "data")]
    assert list(by_kind["Node"].keys(Change(kind, old, new))) == woken
