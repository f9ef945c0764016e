"""Volumes of CSI drivers: what a driver is asked, in which order, and what is left when its pods have gone."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubelet.core.csi import Capability, inline_handle
from kubelet.core.plugins import Plugin
from kubelet.volumes.mounting import unmount_below
from machinery.model.attachments import attachment_name, name_of_volume
from machinery.model.errors import Unavailable
from machinery.model.k8s.authentication_v1 import TokenRequestStatus
from machinery.model.k8s.core_v1 import (
    AttachedVolume,
    CSIPersistentVolumeSource,
    CSIVolumeSource,
    PersistentVolumeClaimVolumeSource,
    PodSecurityContext,
    Secret,
    SecretReference,
    Volume,
    VolumeDevice,
    VolumeMount,
)
from machinery.model.k8s.storage_v1 import (
    CSIDriver,
    CSIDriverSpec,
    VolumeAttachment,
    VolumeAttachmentSource,
    VolumeAttachmentSpec,
    VolumeAttachmentStatus,
)
from machinery.model.resources import (
    CSI_DRIVERS,
    CSI_NODES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    SECRETS,
    VOLUME_ATTACHMENTS,
)
from machinery.rpc.status import Code
from tests.support.builders import changed, container, meta, pod
from tests.support.claims import claim, reference, volume
from tests.support.csi import NAME, NotedDriver, example_driver
from tests.support.requirements import need
from tests.support.scripted_api import local_registry
from tests.support.virtual_clock import VirtualClock
from tests.support.volumes import VolumeWorld
from tests.support.waiting import until

ALL = tuple(each.value for each in Capability if each is not Capability.VOLUME_MOUNT_GROUP)


@pytest.fixture
def root() -> Iterator[Path]:
    """Return a folder whose sockets have short paths."""
    with tempfile.TemporaryDirectory(prefix="kb-", dir="/tmp") as folder:
        yield Path(folder)
        unmount_below(Path(folder))


@pytest.fixture
async def world(root: Path) -> AsyncIterator[VolumeWorld]:
    """Volumes of the node node-1, which the apiserver knows."""
    async with local_registry(VirtualClock()) as server:
        made = VolumeWorld(root / "kubelet", VirtualClock(), server)
        await server.given(NODES, made.node)
        yield made


def user_of(name: str = "web", **spec: Any) -> Any:
    """Return a pod that mounts the claim "data"."""
    source = PersistentVolumeClaimVolumeSource(claimName="data")
    box = container(volumeMounts=[VolumeMount(name="disk", mountPath="/data")])
    return pod(name, volumes=[Volume(name="disk", persistentVolumeClaim=source)], containers=[box], **spec)


async def given_volume(world: VolumeWorld, driver: str = NAME, **fields: Any) -> CSIPersistentVolumeSource:
    """Make the claim "data" and its volume "pv", of a driver."""
    source = CSIPersistentVolumeSource(
        driver=driver, volumeHandle="vol-1", fsType="ext4", volumeAttributes={"speed": "fast"}
    )
    source = changed(source, **{key: fields.pop(key) for key in list(fields) if key.endswith("SecretRef")})
    own = claim(phase="Bound", volumeName="pv")
    own = await world.server.given(PERSISTENT_VOLUME_CLAIMS, own)
    pv = changed(volume(), spec__hostPath=None, spec__csi=source, spec__claimRef=reference(own), **fields)
    await world.server.given(PERSISTENT_VOLUMES, pv)
    return source


async def given_kind(world: VolumeWorld, name: str = NAME, **spec: Any) -> None:
    """Make the CSIDriver of a driver."""
    await world.server.given(CSI_DRIVERS, CSIDriver(metadata=meta(name), spec=CSIDriverSpec(**spec)))


async def attach(world: VolumeWorld, source: CSIPersistentVolumeSource, **said: str) -> None:
    """Have a volume attached to the node."""
    name = name_of_volume(source)
    world.node = changed(
        world.node,
        status__volumesInUse=[name],
        status__volumesAttached=[AttachedVolume(name=name, devicePath="")],
    )
    attachment = VolumeAttachment(
        metadata=meta(attachment_name(source, "node-1")),
        spec=VolumeAttachmentSpec(
            attacher=source.driver,
            nodeName="node-1",
            source=VolumeAttachmentSource(persistentVolumeName="pv"),
        ),
        status=VolumeAttachmentStatus(attached=True, attachmentMetadata=said),
    )
    await world.server.given(VOLUME_ATTACHMENTS, attachment)
    world.driver_volumes.node_changed()


async def test_a_driver_is_known_to_the_cluster_while_it_is_there(world: VolumeWorld, root: Path):
    """Its name for the node, where the node is to it, and how many volumes it takes; two of one name there are not."""
    driver, socket = NotedDriver(), root / "csi.sock"
    async with driver.serving(socket):
        await world.drivers.registered(driver.plugin(socket))
        found = await world.api.get(CSI_NODES, "node-1")
        [entry] = found.spec.drivers
        assert (entry.name, entry.nodeID, entry.topologyKeys) == (
            NAME,
            "machine-7",
            ["disks.example.com/rack"],
        )
        assert entry.allocatable is not None
        assert entry.allocatable.count == 3
        assert [each.kind for each in found.metadata.ownerReferences] == ["Node"]
        node = await world.api.get(NODES, "node-1")
        assert json.loads(node.metadata.annotations["csi.volume.kubernetes.io/nodeid"]) == {NAME: "machine-7"}
        assert node.metadata.labels["disks.example.com/rack"] == "r1"
        with pytest.raises(Exception, match="Another driver with the same name is already registered"):
            world.drivers.check(driver.plugin(socket))
        await world.drivers.deregistered(driver.plugin(socket))
    assert (await world.api.get(CSI_NODES, "node-1")).spec.drivers == []
    assert (
        "csi.volume.kubernetes.io/nodeid" not in (await world.api.get(NODES, "node-1")).metadata.annotations
    )


async def test_a_volume_is_attached_staged_and_published_and_all_of_it_is_undone(
    world: VolumeWorld, root: Path
):
    """It waits until it is attached; each step has what the one before it said; the next kubelet undoes what this one did."""
    secret = SecretReference(name="key", namespace="default")
    source = await given_volume(
        world,
        nodeStageSecretRef=secret,
        spec__mountOptions=["noatime"],
    )
    await world.server.given(SECRETS, Secret(metadata=meta("key", "default"), data={"pass": "d29yZA=="}))
    driver, socket, one = NotedDriver(ALL), root / "csi.sock", user_of()
    async with driver.serving(socket):
        await world.drivers.registered(driver.plugin(socket))
        mounting = asyncio.ensure_future(world.volumes.mount(one))
        await until(lambda: world.driver_volumes.in_use() == [name_of_volume(source)])
        assert driver.names() == []
        await attach(world, source, device="/dev/x")
        paths = await mounting
        target = f"{world.root}/pods/{one.metadata.uid}/volumes/kubernetes.io~csi/pv/mount"
        assert paths == {"disk": target}
        staged, published = driver.last("NodeStageVolume"), driver.last("NodePublishVolume")
        assert staged.volume_id == published.volume_id == "vol-1"
        assert dict(staged.publish_context) == dict(published.publish_context) == {"device": "/dev/x"}
        assert staged.staging_target_path == published.staging_target_path
        assert staged.staging_target_path.startswith(f"{world.root}/plugins/kubernetes.io/csi/{NAME}/")
        assert has(staged.staging_target_path)
        assert (dict(staged.secrets), dict(published.secrets)) == ({"pass": "word"}, {})
        assert dict(published.volume_context) == {"speed": "fast"}
        assert published.target_path == target
        capability = published.volume_capability
        assert capability.access_mode.mode == 7
        assert (capability.mount.fs_type, list(capability.mount.mount_flags)) == ("ext4", ["noatime"])
        await world.volumes.mount(user_of("other"))
        assert driver.names() == ["NodeStageVolume", "NodePublishVolume", "NodePublishVolume"]
        driver.asked.clear()
        again = world.restarted()
        with pytest.raises(Unavailable, match=f"driver name {NAME} not found"):
            await again.unmount(one.metadata.uid)
        await world.drivers.registered(driver.plugin(socket))
        driver.answers["NodeUnpublishVolume"] = Code.INTERNAL
        with pytest.raises(Exception, match="as it was told"):
            await again.unmount(one.metadata.uid)
        driver.answers.clear()
        await again.unmount(one.metadata.uid)
        assert world.driver_volumes.in_use() == [name_of_volume(source)]
        await again.sweep(set())
        assert driver.names() == [*["NodeUnpublishVolume"] * 3, "NodeUnstageVolume"]
        assert world.driver_volumes.in_use() == []
        assert list((world.root / "pods").iterdir()) == []


async def test_a_driver_is_told_of_the_pod_as_its_object_asks(world: VolumeWorld, root: Path):
    """What it is, its tokens, its group; again and again, where it wants that."""
    await given_kind(
        world,
        attachRequired=False,
        podInfoOnMount=True,
        requiresRepublish=True,
        volumeLifecycleModes=["Persistent", "Ephemeral"],
        tokenRequests=[{"audience": "vault"}],
    )
    driver, socket = NotedDriver((Capability.VOLUME_MOUNT_GROUP,)), root / "csi.sock"
    source = CSIVolumeSource(driver=NAME, volumeAttributes={"secret": "a"}, readOnly=True)
    context = PodSecurityContext(fsGroup=2000)
    one = pod(volumes=[Volume(name="own", csi=source)], securityContext=context, serviceAccountName="robot")
    async with driver.serving(socket):
        await world.drivers.registered(driver.plugin(socket))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(world.driver_volumes._given._sources, "token_status", token)
            await world.volumes.mount(one)
            published = driver.last("NodePublishVolume")
            await world.volumes.refresh(one)
        assert driver.names() == ["NodePublishVolume", "NodePublishVolume"]
    assert published.volume_id == inline_handle(one.metadata.uid, "own")
    assert published.readonly
    assert published.staging_target_path == ""
    assert published.volume_capability.mount.volume_mount_group == "2000"
    told = dict(published.volume_context)
    tokens = json.loads(told.pop("csi.storage.k8s.io/serviceAccount.tokens"))
    assert tokens == {"vault": {"token": "for vault", "expirationTimestamp": "2026-01-01T00:00:00Z"}}
    assert told == {
        "secret": "a",
        "csi.storage.k8s.io/pod.name": "web",
        "csi.storage.k8s.io/pod.namespace": "default",
        "csi.storage.k8s.io/pod.uid": one.metadata.uid,
        "csi.storage.k8s.io/serviceAccount.name": "robot",
        "csi.storage.k8s.io/ephemeral": "true",
    }


def has(path: str) -> bool:
    return Path(path).is_dir()


def write(folder: str, name: str, text: str) -> None:
    Path(folder, name).write_text(text)


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


async def token(_pod: Any, audience: str, _expiration_s: int | None) -> TokenRequestStatus:
    return TokenRequestStatus(token=f"for {audience}", expirationTimestamp="2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("kind", "answers", "is_inline", "event"),
    [
        ({}, {}, True, f'MountVolume.SetUp failed for volume "disk" : volume mode "Ephemeral" not supported by driver {NAME} (only supports ["Persistent"])'),
        ({"volumeLifecycleModes": ["Ephemeral"]}, {}, False, f'MountVolume.SetUp failed for volume "pv" : volume mode "Persistent" not supported by driver {NAME} (only supports ["Ephemeral"])'),
        ({}, {"NodeStageVolume": Code.RESOURCE_EXHAUSTED}, False, 'MountVolume.MountDevice failed for volume "pv" : rpc error: code = ResourceExhausted desc = as it was told'),
        ({}, {"NodePublishVolume": Code.INTERNAL}, False, 'MountVolume.SetUp failed for volume "pv" : rpc error: code = Internal desc = as it was told'),
    ],
)  # fmt: skip
async def test_what_a_driver_does_not_do_is_an_event(
    world: VolumeWorld,
    root: Path,
    kind: dict[str, Any],
    answers: dict[str, Any],
    is_inline: bool,
    event: str,
):
    """In the words of Kubernetes' kubelet."""
    await given_kind(world, attachRequired=False, **kind)
    await given_volume(world)
    one = pod(volumes=[Volume(name="disk", csi=CSIVolumeSource(driver=NAME))]) if is_inline else user_of()
    driver, socket = NotedDriver(ALL, answers), root / "csi.sock"
    async with driver.serving(socket):
        await world.drivers.registered(driver.plugin(socket))
        await world.problem(one)
    assert world.events.messages == [event]


async def test_a_volume_grows_and_says_how_full_it_is(world: VolumeWorld, root: Path):
    """The driver is asked when the volume is larger than its claim says, once."""
    await given_kind(world, attachRequired=False)
    await given_volume(world, spec__capacity={"storage": "3Gi"})
    from machinery.wire.csi import messages

    kinds = messages.VolumeUsage
    usage = [
        kinds(unit=kinds.BYTES, total=100, available=60, used=40),
        kinds(unit=kinds.INODES, total=9, available=2),
    ]
    driver, socket, one = NotedDriver(ALL), root / "csi.sock", user_of()
    driver.answers["NodeGetVolumeStats"] = messages.NodeGetVolumeStatsResponse(usage=usage)
    async with driver.serving(socket):
        await world.drivers.registered(driver.plugin(socket))
        await world.api.patch(
            PERSISTENT_VOLUME_CLAIMS,
            "data",
            {"status": {"capacity": {"storage": "1Gi"}}},
            namespace="default",
            subresource="status",
        )
        await world.volumes.mount(one)
        await world.volumes.refresh(one)
        assert driver.names() == ["NodeStageVolume", "NodePublishVolume", "NodeExpandVolume"]
        assert driver.last("NodeExpandVolume").capacity_range.required_bytes == 3 * 2**30
        await world.driver_volumes.measure()
    grown = await world.api.get(PERSISTENT_VOLUME_CLAIMS, "data", namespace="default")
    assert grown.status.capacity == {"storage": "3Gi"}
    assert world.events.reasons == ["FileSystemResizeSuccessful"] * 2
    [told] = world.volumes.claimed.usage()
    assert (told.claim, told.disk.size, told.disk.used, told.disk.inodes_free) == ("data", 100, 40, 2)


async def test_a_block_volume_is_a_file_of_the_drivers(world: VolumeWorld, root: Path):
    """Published for each pod, in a folder that is nobody's volume."""
    await given_kind(world, attachRequired=False)
    await given_volume(world, spec__volumeMode="Block")
    box = container(volumeDevices=[VolumeDevice(name="disk", devicePath="/dev/data")])
    one = changed(user_of(), spec__containers=[box])
    driver, socket = NotedDriver(ALL), root / "csi.sock"
    async with driver.serving(socket):
        await world.drivers.registered(driver.plugin(socket))
        paths = await world.volumes.mount(one)
    folder = f"{world.root}/plugins/kubernetes.io/csi/volumeDevices"
    assert paths == {"disk": f"{folder}/publish/pv/{one.metadata.uid}"}
    assert driver.last("NodeStageVolume").staging_target_path == f"{folder}/staging/pv"
    assert driver.last("NodePublishVolume").volume_capability.HasField("block")
    [device] = world.volumes.devices(one, one.spec.containers[0], paths)
    assert device.host_path == paths["disk"]


async def test_the_examples_volumes_keep_their_data_and_their_pods_own_do_not(world: VolumeWorld, root: Path):
    """Real mounts: what a pod writes is in the volume's folder; fsGroup holds; nothing is mounted when all is over."""
    need("root", "mounts")
    example = example_driver()
    await given_kind(
        world,
        example.NAME,
        attachRequired=False,
        podInfoOnMount=True,
        fsGroupPolicy="File",
        volumeLifecycleModes=["Persistent", "Ephemeral"],
    )
    await given_volume(world, example.NAME)
    data = root / "data"
    (data / "vol-1").mkdir(parents=True)
    one = user_of(securityContext=PodSecurityContext(fsGroup=2000))
    own = Volume(name="own", csi=CSIVolumeSource(driver=example.NAME))
    one = changed(one, spec__volumes=[*one.spec.volumes, own])
    async with example.serving(example.NAME, "machine-7", world.root, data):
        endpoint = world.root / "plugins" / example.NAME / "csi.sock"
        plugin = Plugin("CSIPlugin", example.NAME, str(endpoint), ("1.0.0",), "")
        await world.drivers.registered(plugin)
        paths = await world.volumes.mount(one)
        write(paths["disk"], "kept", "x")
        write(paths["own"], "lost", "y")
        assert (data / "vol-1" / "kept").read_text() == "x"
        assert (data / "vol-1").stat().st_gid == 2000
        assert len(list(data.iterdir())) == 3
        await world.driver_volumes.measure()
        [told] = world.volumes.claimed.usage()
        assert told.disk.size > 0
        await world.volumes.unmount(one.metadata.uid)
        assert [each.name for each in data.iterdir()] == ["vol-1"]
        assert (data / "vol-1" / "kept").read_text() == "x"
    assert str(root) not in mounts()
