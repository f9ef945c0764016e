# ruff: noqa: ASYNC240 - looking at the files is what these tests do
"""Volumes that claims stand for, on a real file system, with a registry in memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from kubelet.volume_metrics import VolumeMetrics
from machinery.model.k8s.core_v1 import (
    CSIPersistentVolumeSource,
    HostPathVolumeSource,
    LocalVolumeSource,
    NFSVolumeSource,
    PersistentVolume,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodSecurityContext,
    Volume,
    VolumeDevice,
    VolumeMount,
)
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from tests.support.builders import changed, container, pod
from tests.support.claims import claim, only_on, reference, volume
from tests.support.requirements import need
from tests.support.volumes import VolumeWorld

ALONE = ("ReadWriteOncePod",)
MOUNT = VolumeMount(name="disk", mountPath="/data")


def user_of(name: str = "web", *, read_only: bool = False, mount: VolumeMount = MOUNT, **spec: Any) -> Pod:
    """Return a pod that mounts the claim "data"."""
    source = PersistentVolumeClaimVolumeSource(claimName="data", readOnly=read_only or None)
    disk = Volume(name="disk", persistentVolumeClaim=source)
    return pod(name, volumes=[disk], containers=[container(volumeMounts=[mount])], **spec)


async def bind(world: VolumeWorld, found: PersistentVolume, *, phase: str = "Bound") -> None:
    """Make the claim "data", and bind it to a volume."""
    modes = tuple(found.spec.accessModes)
    own = claim(modes=modes, phase=phase, volumeName=found.metadata.name)
    own = await world.server.given(PERSISTENT_VOLUME_CLAIMS, own)
    await world.server.given(PERSISTENT_VOLUMES, changed(found, spec__claimRef=reference(own)))


def local_at(folder: Path, **spec: Any) -> PersistentVolume:
    """Return a volume that is a folder of the node node-1."""
    fields = {"nodeAffinity": only_on("node-1"), **spec}
    return changed(volume(**fields), spec__hostPath=None, spec__local=LocalVolumeSource(path=str(folder)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the folder of a volume, with something in it that is the owner's only."""
    folder = tmp_path / "disks/one"
    folder.mkdir(parents=True)
    (folder / "kept").write_text("kept")
    (folder / "kept").chmod(0o600)
    return folder


async def test_a_claims_data_outlives_its_pods_and_their_kubelet(world: VolumeWorld, data: Path):
    """The pod's folder goes with it, and what is bound into it; the volume is where it was, for the next pod."""
    await bind(world, local_at(data))
    part = VolumeMount(name="disk", mountPath="/data", subPath="part")
    one = user_of(mount=part)
    paths = await world.volumes.mount(one)
    assert paths == {"disk": str(data)}
    [mounted] = world.volumes.mounts(one, one.spec.containers[0], paths, {})
    Path(mounted.host_path, "written").write_text("by the pod")
    again = world.restarted()
    await again.sweep(set())
    assert list((world.root / "pods").iterdir()) == []
    assert (data / "kept").read_text() == "kept"
    assert (data / "part/written").read_text() == "by the pod"
    assert await again.mount(user_of("next")) == paths


@pytest.mark.parametrize(
    ("phase", "problem"),
    [
        ("", 'error processing PVC default/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found'),
        ("Pending", "error processing PVC default/data: PVC is not bound"),
    ],
)  # fmt: skip
async def test_a_pod_waits_for_its_claim(world: VolumeWorld, data: Path, phase: str, problem: str):
    """The event says which volume is not there, and why."""
    if phase:
        await bind(world, local_at(data), phase=phase)
    assert await world.problem(user_of()) == problem
    named = "unmounted volumes=[disk], unattached volumes=[], failed to process volumes=[disk]"
    assert world.events.messages == [f"Unable to attach or mount volumes: {named}: {problem}"]


@pytest.mark.parametrize(
    ("found", "event"),
    [
        ({"spec__local": LocalVolumeSource(path="/no/such/folder")}, 'MountVolume.NewMounter initialization failed for volume "pv" : path "/no/such/folder" does not exist'),
        ({"spec__local": LocalVolumeSource(path="/dev/null")}, 'MountVolume.NewMounter initialization failed for volume "pv" : only directory and block device are supported'),
        ({"spec__hostPath": HostPathVolumeSource(path="/dev/null", type="Directory")}, 'MountVolume.SetUp failed for volume "pv" : hostPath type check failed: /dev/null is not a directory'),
        ({"spec__hostPath": HostPathVolumeSource(path="/"), "spec__mountOptions": ["ro"]}, 'MountVolume.MountOptionSupport check failed for volume "pv" : Mount options are not supported for this volume type'),
        ({"spec__nfs": NFSVolumeSource(server="s", path="/")}, 'Unable to attach or mount volumes: unmounted volumes=[disk], unattached volumes=[], failed to process volumes=[disk]: failed to get Plugin from volumeSpec for volume "pv" err=no volume plugin matched'),
        ({"spec__csi": CSIPersistentVolumeSource(driver="d.example", volumeHandle="h")}, 'MountVolume.MountDevice failed for volume "pv" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name d.example not found in the list of registered CSI drivers'),
    ],
)  # fmt: skip
async def test_a_volume_that_cannot_be_had_says_so(world: VolumeWorld, found: dict[str, Any], event: str):
    """By the name of the PersistentVolume, with the step that failed."""
    fields = {"spec__hostPath": None, "spec__nodeAffinity": only_on("node-1"), **found}
    await bind(world, changed(volume(), **fields))
    await world.problem(user_of())
    assert world.events.messages == [event]


async def test_a_block_volume_is_a_device_or_says_so(world: VolumeWorld, tmp_path: Path):
    """What is no block device is none in a container; one that is used read-only is so there, too."""
    disk = changed(
        volume(volumeMode="Block"), spec__hostPath=None, spec__local=LocalVolumeSource(path="/dev/null")
    )
    await bind(world, changed(disk, spec__nodeAffinity=only_on("node-1")))
    device = VolumeDevice(name="disk", devicePath="/dev/xvda")
    for read_only, rights in ((False, "mrw"), (True, "r")):
        one = changed(user_of(read_only=read_only), spec__containers=[container(volumeDevices=[device])])
        assert await world.problem(one) == "/dev/null is not a block device"
        [told] = world.volumes.devices(one, one.spec.containers[0], {"disk": "/dev/loop7"})
        assert (told.host_path, told.container_path, told.permissions) == ("/dev/loop7", "/dev/xvda", rights)
    assert world.events.messages[0].startswith('MapVolume.SetUpDevice failed for volume "pv" : ')


async def test_a_volume_of_another_node_is_not_used(world: VolumeWorld, data: Path):
    """Whoever has bound the pod here."""
    await bind(world, local_at(data, nodeAffinity=only_on("node-2")))
    assert await world.problem(user_of()) == "no matching NodeSelectorTerms"


async def test_only_one_pod_has_a_volume_for_one_pod(world: VolumeWorld, data: Path):
    """Also after the kubelet has begun again; when the first pod is gone, the next one may."""
    await bind(world, local_at(data, modes=ALONE))
    one, other = user_of(), user_of("other")
    await world.volumes.mount(one)
    await world.volumes.mount(one)
    taken = "volume uses the ReadWriteOncePod access mode and is already in use by another pod"
    assert await world.problem(other) == taken
    world.volumes = world.restarted()
    assert await world.problem(other) == taken
    await world.volumes.unmount(one.metadata.uid)
    assert await world.volumes.mount(other) == {"disk": str(data)}


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_read_only_claim_is_mounted_so(world: VolumeWorld, data: Path, *, read_only: bool):
    """Whatever the container's own mount says."""
    await bind(world, local_at(data))
    one = user_of(read_only=read_only)
    paths = await world.volumes.mount(one)
    [mounted] = world.volumes.mounts(one, one.spec.containers[0], paths, {})
    assert mounted.readonly is read_only


@pytest.mark.parametrize("policy", ["", "OnRootMismatch"])
async def test_the_pods_group_gets_what_lies_in_the_volume(world: VolumeWorld, data: Path, policy: str):
    """Each time, or only where the folder itself is another's; what a link leads to is nobody's business."""
    need("root")
    outside = data.parent / "outside"
    outside.write_text("")
    (data / "link").symlink_to(outside)
    await bind(world, local_at(data))
    context = PodSecurityContext(fsGroup=4321, fsGroupChangePolicy=policy)
    await world.volumes.mount(user_of(securityContext=context))
    mode = stat.S_IMODE((data / "kept").stat().st_mode)
    assert ((data / "kept").stat().st_gid, mode) == (4321, 0o660)
    assert (data.stat().st_gid, stat.S_IMODE(data.stat().st_mode)) == (4321, 0o2775)
    assert outside.stat().st_gid != 4321
    os.chown(data / "kept", -1, 0)
    await world.restarted().mount(user_of(securityContext=context))
    assert (data / "kept").stat().st_gid == (0 if policy else 4321)


async def test_a_claim_that_no_container_mounts_is_not_looked_for(world: VolumeWorld):
    """It is no reason to wait."""
    idle = Volume(name="disk", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName="none"))
    assert await world.volumes.mount(pod(volumes=[idle])) == {}


async def test_how_full_a_volume_is_can_be_told(world: VolumeWorld, data: Path):
    """Of those that are folders or file systems of the node's own."""
    await bind(world, local_at(data))
    await world.volumes.mount(user_of())
    usage = world.restarted().claimed.usage
    [told] = usage()
    assert (told.pod_uid, told.name, told.claim) == ("uid-default-web", "disk", "data")
    size = os.statvfs(data).f_blocks * os.statvfs(data).f_frsize
    line = 'kubelet_volume_stats_capacity_bytes{namespace="default",persistentvolumeclaim="data"}'
    assert f"{line} {size}" in list(VolumeMetrics(usage).lines())
