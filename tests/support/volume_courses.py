"""Courses of events over claims and volumes, for controllers that die in their middle."""

from __future__ import annotations

from machinery.model.k8s.core_v1 import (
    CSIPersistentVolumeSource,
    EphemeralVolumeSource,
    PersistentVolumeClaim,
    PersistentVolumeClaimTemplate,
    PersistentVolumeClaimVolumeSource,
    Volume,
)
from machinery.model.requests import DeleteOptions
from machinery.model.resources import (
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    STORAGE_CLASSES,
    VOLUME_ATTACHMENTS,
)
from machinery.model.storage import NODE_FOLDERS, PROVISIONED_BY, SELECTED_NODE
from tests.support import builders
from tests.support.builders import changed
from tests.support.claims import bound, claim, storage_class, volume
from tests.support.controller_crashes import CrashWorld

FOLDERS = {"annotations": {PROVISIONED_BY: NODE_FOLDERS}}


async def _claims(world: CrashWorld) -> list[PersistentVolumeClaim]:
    return list((await world.user.list(PERSISTENT_VOLUME_CLAIMS)).items)


async def _let_go(world: CrashWorld, name: str) -> None:
    """Delete a claim that nobody protects here."""
    freed = {"metadata": {"finalizers": None}}
    await world.user.patch(PERSISTENT_VOLUME_CLAIMS, name, freed, namespace="default")
    await world.user.delete(PERSISTENT_VOLUME_CLAIMS, name, namespace="default")


async def volumes_are_bound(world: CrashWorld) -> None:
    """One of two claims gets the only volume; it goes, and the other one gets another, which is made for it."""
    await world.server.given(PERSISTENT_VOLUMES, volume())
    for name in ("first", "second"):
        await world.server.given(PERSISTENT_VOLUME_CLAIMS, claim(name))
        await world.settle()
    found = await world.user.get(PERSISTENT_VOLUMES, "pv")
    assert found.spec.claimRef is not None
    assert (found.spec.claimRef.name, found.status.phase) == ("first", "Bound")
    await _let_go(world, "first")
    second = await world.user.get(PERSISTENT_VOLUME_CLAIMS, "second", namespace="default")
    await world.server.given(PERSISTENT_VOLUMES, volume("made", of=second))
    await world.settle()
    phases = {
        each.metadata.name: each.status.phase for each in (await world.user.list(PERSISTENT_VOLUMES)).items
    }
    assert phases == {"pv": "Released", "made": "Bound"}
    second = await world.user.get(PERSISTENT_VOLUME_CLAIMS, "second", namespace="default")
    assert (second.spec.volumeName, second.status.phase) == ("made", "Bound")


async def folders_come_and_go(world: CrashWorld) -> None:
    """A claim is given a node, and gets a folder of it; when it goes, the folder goes, and one of a silent node waits for it."""
    folders = world.server.kubelets.folders
    await world.server.given(STORAGE_CLASSES, storage_class(provisioner=NODE_FOLDERS))
    for number in (1, 2):
        await world.server.given(NODES, builders.node(f"node-{number}"))
        notes = {"annotations": {SELECTED_NODE: f"node-{number}"}}
        wanted = claim(f"data-{number}", storage_class="standard", metadata=notes)
        await world.server.given(PERSISTENT_VOLUME_CLAIMS, wanted)
    await world.settle()
    assert [each.status.phase for each in await _claims(world)] == ["Bound", "Bound"]
    named = [(await _claims(world))[index].spec.volumeName for index in (0, 1)]
    assert [folders[f"node-{number}"] for number in (1, 2)] == [{name} for name in named]
    world.server.kubelets.silent.add("node-2")
    for number in (1, 2):
        await _let_go(world, f"data-{number}")
    await world.settle()
    [left] = (await world.user.list(PERSISTENT_VOLUMES)).items
    assert (left.status.phase, folders["node-1"], folders["node-2"]) == ("Released", set(), {named[1]})
    world.server.kubelets.silent.clear()
    await world.live(20)
    await world.settle()
    assert not folders["node-2"]
    assert not (await world.user.list(PERSISTENT_VOLUMES)).items


async def a_claim_grows(world: CrashWorld) -> None:
    """Its volume is a folder, and says more afterwards; so does the claim."""
    await world.server.given(STORAGE_CLASSES, storage_class(allowVolumeExpansion=True))
    wanted = claim(storage_class="standard", volumeName="pv")
    stored = await world.server.given(PERSISTENT_VOLUME_CLAIMS, bound(wanted, "pv"))
    of_class = volume(of=stored, storage_class="standard", phase="Bound", metadata=FOLDERS)
    await world.server.given(PERSISTENT_VOLUMES, of_class)
    more = {"spec": {"resources": {"requests": {"storage": "3Gi"}}}}
    await world.user.patch(PERSISTENT_VOLUME_CLAIMS, "data", more, namespace="default")
    await world.settle()
    grown = await world.user.get(PERSISTENT_VOLUME_CLAIMS, "data", namespace="default")
    assert (grown.status.capacity, grown.status.allocatedResources) == (
        {"storage": "3Gi"},
        {"storage": "3Gi"},
    )
    assert (await world.user.get(PERSISTENT_VOLUMES, "pv")).spec.capacity == {"storage": "3Gi"}


async def a_pod_has_volumes_of_its_own(world: CrashWorld) -> None:
    """Each has a claim, which comes again when somebody deletes it."""
    template = PersistentVolumeClaimTemplate(spec=claim().spec)
    volumes = [
        Volume(name=name, ephemeral=EphemeralVolumeSource(volumeClaimTemplate=template))
        for name in ("a", "b")
    ]
    await world.server.given(PODS, changed(builders.pod("web"), spec__volumes=volumes))
    await world.settle()
    assert {each.metadata.name for each in await _claims(world)} == {"web-a", "web-b"}
    await _let_go(world, "web-a")
    await world.settle()
    assert {each.metadata.name for each in await _claims(world)} == {"web-a", "web-b"}
    pod = await world.user.get(PODS, "web", namespace="default")
    owners = [each.metadata.ownerReferences[0].uid for each in await _claims(world)]
    assert owners == [pod.metadata.uid] * 2
    await world.user.delete(PODS, "web", namespace="default", options=DeleteOptions(grace_period_s=0))


async def a_disk_is_attached_and_detached(world: CrashWorld) -> None:
    """A pod that uses it comes to a node, and goes; its driver's attacher does what it is told."""
    notes = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    await world.server.given(NODES, changed(builders.node("node-1"), metadata__annotations=notes))
    stored = await world.server.given(PERSISTENT_VOLUME_CLAIMS, bound(claim(volumeName="pv"), "pv"))
    source = CSIPersistentVolumeSource(driver="disks.example.com", volumeHandle="vol-1")
    disk = changed(volume(of=stored, phase="Bound"), spec__hostPath=None, spec__csi=source)
    await world.server.given(PERSISTENT_VOLUMES, disk)
    uses = Volume(name="data", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName="data"))
    pod = changed(builders.pod("web", node="node-1", phase="Running"), spec__volumes=[uses])
    await world.server.given(PODS, pod)
    await world.settle()
    [attachment] = (await world.user.list(VOLUME_ATTACHMENTS)).items
    attached = {"status": {"attached": True}}
    await world.user.patch(VOLUME_ATTACHMENTS, attachment.metadata.name, attached, subresource="status")
    await world.settle()
    node = await world.user.get(NODES, "node-1")
    assert [each.name for each in node.status.volumesAttached] == [
        "kubernetes.io/csi/disks.example.com^vol-1"
    ]
    await world.user.delete(PODS, "web", namespace="default", options=DeleteOptions(grace_period_s=0))
    await world.settle()
    assert not (await world.user.get(NODES, "node-1")).status.volumesAttached
    assert not (await world.user.list(VOLUME_ATTACHMENTS)).items
