"""Which volumes are attached to a node, and when they are detached."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.attachdetach.attachable import is_attachable
from controllers.attachdetach.plan import Attached, Seen, Wanted, plan
from controllers.core.actions import Create, Delete, Patch
from machinery.model.attachments import MANAGED, attachment_name, name_of_volume
from machinery.model.k8s.core_v1 import AttachedVolume, CSIPersistentVolumeSource, NodeCondition
from machinery.model.k8s.storage_v1 import (
    CSIDriver,
    CSIDriverSpec,
    VolumeAttachment,
    VolumeAttachmentSource,
    VolumeAttachmentSpec,
    VolumeAttachmentStatus,
    VolumeError,
)
from machinery.model.taints import OUT_OF_SERVICE
from tests.support.builders import changed, meta, node, pod, taint
from tests.support.claims import claim, volume
from tests.support.controllers import CREATED, events, moment, writes

SOURCE = CSIPersistentVolumeSource(driver="disks.example.com", volumeHandle="vol-1")
DISK = changed(volume(of=claim(), phase="Bound"), spec__hostPath=None, spec__csi=SOURCE)
NAME = attachment_name(SOURCE, "node-1")
UNIQUE = "kubernetes.io/csi/disks.example.com^vol-1"
READY = [NodeCondition(type="Ready", status="True")]
HERE = changed(node("node-1"), metadata__annotations={MANAGED: "true"}, status__conditions=READY)
WEB = pod("web", node="node-1")
LISTED = [AttachedVolume(name=UNIQUE, devicePath="")]


def attachment(
    node_name: str = "node-1", *, attached: bool = True, error: str = "", **fields: Any
) -> VolumeAttachment:
    """Return the attachment of the disk to a node."""
    return VolumeAttachment(
        metadata=meta(attachment_name(SOURCE, node_name), **fields),
        spec=VolumeAttachmentSpec(
            attacher=SOURCE.driver,
            nodeName=node_name,
            source=VolumeAttachmentSource(persistentVolumeName="pv"),
        ),
        status=VolumeAttachmentStatus(
            attached=attached, attachError=VolumeError(message=error) if error else None
        ),
    )


def seen(
    *, wanted: bool = True, there: VolumeAttachment | None = None, waited_s: float = 0, **fields: Any
) -> Seen:
    """Return a node that wants the disk, or that has it."""
    return Seen(
        name="node-1",
        node=fields.pop("node", HERE),
        wanted=[Wanted(DISK, [WEB], **fields)] if wanted else [],
        attached=[Attached(there, DISK)] if there else [],
        unwanted_s={NAME: waited_s},
    )


def essence(one: Seen) -> list[str]:
    """Return what is written for a node, in words."""
    words = {Create: "attach", Delete: "detach", Patch: "list"}
    return [words[type(write)] for write in writes(plan(one, moment()))]


USED = changed(HERE, status__volumesInUse=[UNIQUE], status__volumesAttached=LISTED)
LOST = changed(USED, status__conditions=[NodeCondition(type="Ready", status="Unknown")])
OUT = changed(LOST, spec__taints=[taint(OUT_OF_SERVICE, "NoExecute")])


@pytest.mark.parametrize(
    ("one", "written"),
    [
        (seen(), ["attach"]),
        (seen(there=attachment(attached=False)), []),
        (seen(there=attachment()), ["list"]),
        (seen(there=attachment(), node=changed(HERE, status__volumesAttached=LISTED)), []),
        (seen(node=node("node-1")), []),
        (seen(node=None), []),
        (seen(elsewhere=[attachment("node-2")]), []),
        (seen(there=attachment(deletionTimestamp=CREATED)), []),
        (seen(wanted=False, there=attachment(), node=changed(HERE, status__volumesAttached=LISTED)), ["list"]),
        (seen(wanted=False, there=attachment()), ["detach"]),
        (seen(wanted=False, there=attachment(deletionTimestamp=CREATED)), []),
        (seen(wanted=False, there=attachment(), node=USED), []),
        (seen(wanted=False, there=attachment(), node=USED, waited_s=999), []),
        (seen(wanted=False, there=attachment(), node=LOST, waited_s=300), []),
        (seen(wanted=False, there=attachment(), node=LOST, waited_s=360), ["list"]),
        (seen(wanted=False, there=attachment(), node=OUT), ["list"]),
        (seen(wanted=False, there=attachment(), node=None), []),
        (seen(wanted=False, there=attachment(), node=None, waited_s=360), ["detach"]),
        (seen(wanted=False, node=changed(HERE, status__volumesAttached=LISTED)), ["list"]),
    ],
)  # fmt: skip
def test_one_step_of_a_node(one, written):
    """What is in use is detached only from a node that is lost; the node's list is right before anything is detached."""
    assert essence(one) == written


def test_an_attachment_says_who_is_to_attach_what_to_where():
    """Its name is the same whoever makes it."""
    (made,) = writes(plan(seen(), moment()))
    assert isinstance(made, Create)
    assert made.object == changed(attachment(attached=False), metadata=made.object.metadata)
    assert made.object.metadata.name == NAME
    assert NAME == "csi-823ff6d07d8b84f1050c23029f163f97f72673c99ce3b8effe2ce42c7a1a6aa6"
    assert name_of_volume(SOURCE) == UNIQUE


def test_pods_are_told_what_came_of_it():
    """When the volume is attached, and when it could not be."""
    told = events(plan(seen(there=attachment()), moment()))
    assert told == [("Normal", "SuccessfulAttachVolume", 'AttachVolume.Attach succeeded for volume "pv" ')]
    told = events(plan(seen(there=attachment(attached=False, error="no room")), moment()))
    assert told == [("Warning", "FailedAttachVolume", 'AttachVolume.Attach failed for volume "pv" : no room')]


@pytest.mark.parametrize(
    ("others", "who"),
    [
        ([], "Volume is already exclusively attached to one node and can't be attached to another"),
        ([pod("a"), pod("b")], "Volume is already used by pod(s) a, b"),
        ([pod("a"), pod("b", namespace="x")], "Volume is already used by pod(s) a and 1 pod(s) in different namespaces"),
        ([pod("b", namespace="x")], "Volume is already used by 1 pod(s) in different namespaces"),
    ],
)  # fmt: skip
def test_a_volume_of_one_node_is_not_attached_to_two(others, who):
    """The pod is told whose it is."""
    told = events(plan(seen(elsewhere=[attachment("node-2")], others=others), moment()))
    assert told == [("Warning", "FailedAttachVolume", f'Multi-Attach error for volume "pv" {who}')]


def test_a_volume_of_many_nodes_is_attached_to_all():
    """Its access modes say so."""
    shared = changed(DISK, spec__accessModes=["ReadWriteMany"])
    one = Seen("node-1", HERE, [Wanted(shared, [WEB], [attachment("node-2")])], [])
    assert essence(one) == ["attach"]


@pytest.mark.parametrize(("said", "is_so"), [(None, True), (True, True), (False, False)])
def test_a_driver_may_say_that_its_volumes_are_not_attached(said, is_so):
    """One that says nothing, or is not there, needs it."""
    driver = CSIDriver(metadata=meta(SOURCE.driver), spec=CSIDriverSpec(attachRequired=said))
    assert is_attachable(DISK, driver) is is_so
    assert is_attachable(DISK, None)
    assert not is_attachable(volume(), None)


def test_a_node_in_use_is_looked_at_again_when_its_time_is_over():
    """Until then something else may happen."""
    waiting = seen(wanted=False, there=attachment(), node=LOST, waited_s=300)
    assert plan(waiting, moment()).requeue_after_s == 60
