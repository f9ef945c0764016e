# ruff: noqa: ASYNC240 - looking at the files is what these tests do
"""Volumes on a real file system, with a registry in memory; ConfigMaps and Secrets: test_keyed_volumes.py."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from base64 import b64encode, urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest

from kubelet.core.node_status import Features
from kubelet.core.volumes import File
from kubelet.pod_files import PodFiles
from kubelet.volumes import VolumeProblem
from kubelet.volumes.atomic_writer import write_atomically
from kubelet.volumes.mounting import bind
from machinery.model.k8s.core_v1 import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    Container,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    KeyToPath,
    NFSVolumeSource,
    PodSecurityContext,
    ProjectedVolumeSource,
    Secret,
    SecretVolumeSource,
    ServiceAccount,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from machinery.model.resources import CONFIG_MAPS, PODS, SECRETS, SERVICE_ACCOUNTS
from machinery.process.trees import make_folders, remove_tree
from tests.support.builders import config_map, container, meta, pod
from tests.support.requirements import need
from tests.support.volumes import VolumeWorld, pod_with, visible

FILES = {"a": File(b"1", 0o644), "d/b": File(b"2", 0o600)}


def _hidden(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.name.startswith(".."))


def _claims(token: str) -> Any:
    body = token.split(".")[1]
    return json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def _no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(folder: Path) -> None:
        raise AssertionError(f"the table of mounts is read for {folder}")

    monkeypatch.setattr("kubelet.volumes.volumes.unmount_below", unexpected)


def _bind(source: Path, target: Path) -> None:
    descriptor = os.open(source, os.O_PATH)
    try:
        bind(descriptor, target)
    finally:
        os.close(descriptor)


def test_files_are_written_and_seen_through_one_link(tmp_path: Path):
    """Contents and modes are as they were wanted; nothing else is there."""
    assert write_atomically(tmp_path, FILES, stamp="t")
    assert (visible(tmp_path), (tmp_path / "d/b").read_bytes()) == (["a", "d"], b"2")
    assert stat.S_IMODE((tmp_path / "d/b").stat().st_mode) == 0o600
    assert len(_hidden(tmp_path)) == 2  # the folder and ..data


def test_what_has_not_changed_is_not_written_again(tmp_path: Path):
    """Whoever watches the link is not woken."""
    write_atomically(tmp_path, FILES, stamp="t")
    before = (tmp_path / "..data").readlink()
    assert not write_atomically(tmp_path, FILES, stamp="t")
    assert (tmp_path / "..data").readlink() == before


@pytest.mark.parametrize(
    "new",
    [{"a": File(b"9", 0o644)}, {"a": File(b"1", 0o600), "d/b": FILES["d/b"]}, {"d": File(b"", 0o644)}, {}],
)
def test_a_new_version_replaces_the_old_one_whole(tmp_path: Path, new: dict[str, File]):
    """Keys that are gone are gone, one folder stays, an open file keeps its old content."""
    write_atomically(tmp_path, FILES, stamp="t")
    with (tmp_path / "a").open("rb") as held:
        assert write_atomically(tmp_path, new, stamp="t")
        assert held.read() == b"1"
    assert visible(tmp_path) == sorted({path.split("/")[0] for path in new})
    for path, file in new.items():
        assert (tmp_path / path).read_bytes() == file.data
    assert len(_hidden(tmp_path)) == 2


def test_what_a_killed_writer_left_is_taken_away(tmp_path: Path):
    """A half-written folder and a half-made link do no harm."""
    write_atomically(tmp_path, FILES, stamp="t")
    (tmp_path / "..t.half").mkdir()
    (tmp_path / "..data_tmp").symlink_to("..t.half")
    write_atomically(tmp_path, {"a": File(b"new", 0o644)}, stamp="t")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert len(_hidden(tmp_path)) == 2


async def test_a_kind_that_is_not_built_says_so(world: VolumeWorld):
    """Nothing is approximated."""
    remote = Volume(name="disk", nfs=NFSVolumeSource(server="s", path="/"))
    assert (
        await world.problem(pod_with(remote))
        == 'failed to get Plugin from volumeSpec for volume "disk" err=no volume plugin matched'
    )
    strange = Volume(name="disk", emptyDir=EmptyDirVolumeSource(medium="Tape"))
    assert await world.problem(pod_with(strange)) == 'unknown storage medium "Tape"'


async def test_the_token_is_bound_to_the_pod_and_renewed(world: VolumeWorld):
    """Asked for once, and again after 80 % of its life."""
    await world.server.given(CONFIG_MAPS, config_map("kube-root-ca.crt", **{"ca.crt": "CA"}))
    sources = [
        VolumeProjection(
            serviceAccountToken=ServiceAccountTokenProjection(path="token", expirationSeconds=3607)
        ),
        VolumeProjection(configMap=ConfigMapProjection(name="kube-root-ca.crt")),
    ]
    robot = ServiceAccount(metadata=meta("robot", "default"), automountServiceAccountToken=False)
    await world.server.given(SERVICE_ACCOUNTS, robot)
    access = Volume(name="access", projected=ProjectedVolumeSource(sources=sources))
    bound = pod_with(access, node="node-1", serviceAccountName="robot")
    one = await world.server.given(PODS, bound)
    folder = Path((await world.volumes.mount(one))["access"])
    first = (folder / "token").read_text()
    assert visible(folder) == ["ca.crt", "token"]
    told = _claims(first)["kubernetes.io"]
    assert (told["pod"]["uid"], told["serviceaccount"]["name"]) == (one.metadata.uid, "robot")
    await world.clock.advance(2000)
    await world.volumes.refresh(one)
    assert (folder / "token").read_text() == first
    await world.clock.advance(1000)
    await world.volumes.refresh(one)
    assert _claims((folder / "token").read_text())["exp"] == _claims(first)["exp"] + 3000


async def test_an_empty_dir_outlives_the_kubelet_but_not_the_pod(world: VolumeWorld):
    """Its content is the containers'."""
    one = pod_with(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()))
    folder = Path((await world.volumes.mount(one))["scratch"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777
    (folder / "x").write_text("kept")
    again = world.restarted()
    assert Path((await again.mount(one))["scratch"], "x").read_text() == "kept"
    await again.sweep({"uid-default-web"})
    assert folder.exists()
    await again.sweep(set())
    assert not (world.root / "pods" / "uid-default-web").exists()
    await again.unmount("uid-default-web")


async def test_secrets_and_memory_volumes_touch_no_disk(world: VolumeWorld):
    """They are tmpfs mounts, where mounts reach the runtime; they go with the pod."""
    need("mounts")
    await world.server.given(
        SECRETS, Secret(metadata=meta("s", "default"), data={"k": b64encode(b"v").decode()})
    )
    volumes = (
        Volume(name="secret", secret=SecretVolumeSource(secretName="s")),
        Volume(name="memory", emptyDir=EmptyDirVolumeSource(medium="Memory", sizeLimit="1Mi")),
    )
    one = pod_with(*volumes)
    paths = await world.volumes.mount(one)
    await world.restarted().mount(one)
    assert all(Path(path).is_mount() for path in paths.values())
    assert Path(paths["secret"], "k").read_bytes() == b"v"
    with pytest.raises(OSError, match="No space left"):
        Path(paths["memory"], "big").write_bytes(b"x" * 2**21)
    mounts = Path("/proc/self/mountinfo").read_text()
    assert mounts.count(f" {paths['memory']} ") == 1
    await world.volumes.unmount(one.metadata.uid)
    assert str(world.root) not in Path("/proc/self/mountinfo").read_text()


async def test_volumes_go_without_a_look_at_the_mounts_of_the_machine(
    world: VolumeWorld, monkeypatch: pytest.MonkeyPatch
):
    """Its table has lines for every pod of every node: reading it for each pod that goes would cost what all of them cost."""
    need("mounts")
    _no_table(monkeypatch)
    box = _mount("part")
    one = pod_with(Volume(name="scratch", emptyDir=EmptyDirVolumeSource(medium="Memory")), boxes=[box])
    mounts = world.volumes.mounts(one, box, await world.volumes.mount(one), {})
    assert Path(mounts[0].host_path).is_mount()
    await world.volumes.unmount(one.metadata.uid)
    assert not (world.root / "pods" / one.metadata.uid).exists()


@pytest.mark.parametrize("kernel_helps", [True, False])
async def test_what_a_container_mounted_in_its_volume_is_detached_and_not_emptied(
    world: VolumeWorld, monkeypatch: pytest.MonkeyPatch, *, kernel_helps: bool
):
    """A bind mount shows files of somebody else, on the same file system; also by a kernel that cannot tell."""
    need("mounts")
    if not kernel_helps:
        monkeypatch.setattr("kubelet.volumes.volumes.keeps_out_of_mounts", lambda: False)
        monkeypatch.setattr("machinery.process.trees.keeps_out_of_mounts", lambda: False)
    foreign = world.root / "foreign"
    foreign.mkdir()
    (foreign / "kept").touch()
    one = pod_with(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()))
    inner = make_folders(await world.folder(one), Path("a/b"))
    _bind(foreign, inner)
    assert (inner / "kept").exists()
    await world.volumes.unmount(one.metadata.uid)
    assert not (world.root / "pods" / one.metadata.uid).exists()
    assert (foreign / "kept").exists()


async def test_a_memory_volume_without_a_mount_is_empty_after_a_reboot(
    world: VolumeWorld, monkeypatch: pytest.MonkeyPatch
):
    """Where mounts do not reach the runtime it lies on the disk, but what a machine loses it loses; a disk one is kept."""
    monkeypatch.setattr("kubelet.volumes.volumes.mounts_are_seen", lambda _folder: False)
    one = pod_with(
        Volume(name="memory", emptyDir=EmptyDirVolumeSource(medium="Memory")),
        Volume(name="disk", emptyDir=EmptyDirVolumeSource()),
    )
    paths = await world.restarted("first").mount(one)
    for path in paths.values():
        Path(path, "x").write_text("written")
    await world.restarted("first").mount(one)
    assert Path(paths["memory"], "x").exists()
    assert await world.restarted("second").mount(one) == paths
    assert not Path(paths["memory"], "x").exists()
    assert stat.S_IMODE(Path(paths["memory"]).stat().st_mode) == 0o777
    assert Path(paths["disk"], "x").read_text() == "written"


async def test_fs_group_owns_the_files(world: VolumeWorld):
    """The group may read files that only the owner could, and write where it may."""
    need("root")
    await world.server.given(CONFIG_MAPS, config_map(a="1"))
    scratch = Volume(name="scratch", emptyDir=EmptyDirVolumeSource())
    one = pod_with(_config(defaultMode=0o400), scratch, securityContext=PodSecurityContext(fsGroup=4321))
    paths = await world.volumes.mount(one)
    status = Path(paths["config"], "a").stat()
    assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (4321, 0o440)
    folder = Path(paths["scratch"]).stat()
    assert (folder.st_gid, stat.S_IMODE(folder.st_mode)) == (4321, 0o2777)
    before = Path(paths["config"], "..data").readlink()
    await world.volumes.refresh(one)
    assert Path(paths["config"], "..data").readlink() == before


async def test_a_mount_that_has_to_be_read_only_throughout_needs_a_runtime_that_can(world: VolumeWorld):
    """Where it can, it is asked to; what is wanted if possible is only the mount itself."""
    boxes = [
        container(
            volumeMounts=[VolumeMount(name="disk", mountPath="/d", readOnly=True, recursiveReadOnly=how)]
        )
        for how in ("Enabled", "IfPossible")
    ]
    one = pod_with(Volume(name="disk", emptyDir=EmptyDirVolumeSource()), boxes=boxes)
    paths = await world.volumes.mount(one)
    text = 'recursive read-only mode: volume "disk" requested recursive read-only mode, but it is not supported by the runtime'
    with pytest.raises(VolumeProblem, match=text):
        world.volumes.mounts(one, boxes[0], paths, {})
    world.handlers = {"": Features(has_recursive_read_only=True)}
    asked = [world.volumes.mounts(one, box, paths, {})[0].recursive_read_only for box in boxes]
    assert asked == [True, False]


@pytest.mark.parametrize(
    ("type_", "existing", "problem"),
    [
        ("", "", ""),
        ("DirectoryOrCreate", "", ""),
        ("FileOrCreate", "", ""),
        ("Directory", "", "is not a directory"),
        ("Directory", "file", "is not a directory"),
        ("File", "file", ""),
        ("Socket", "file", "is not a socket file"),
    ],
)
async def test_host_paths_are_checked_by_their_type(
    world: VolumeWorld, type_: str, existing: str, problem: str
):
    """And made, where the type allows."""
    path = world.root / "host" / "thing"
    path.parent.mkdir()
    if existing:
        path.touch()
    one = pod_with(Volume(name="host", hostPath=HostPathVolumeSource(path=str(path), type=type_)))
    if problem:
        assert problem in await world.problem(one)
    else:
        assert await world.volumes.mount(one) == {"host": str(path)}
        assert path.is_file() if existing == "file" or type_ == "FileOrCreate" else path.is_dir()


def _config(name: str = "settings", **fields: Any) -> Volume:
    return Volume(name="config", configMap=ConfigMapVolumeSource(name=name, **fields))


def _mount(sub_path: str = "", **fields: Any) -> Container:
    return container(
        volumeMounts=[VolumeMount(name="scratch", mountPath="/data", subPath=sub_path, **fields)]
    )


async def test_mounts_of_a_container(world: VolumeWorld):
    """A part of a volume is made where it is missing, and named by variables too."""
    box = _mount("a/b", readOnly=True)
    one = pod_with(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()), boxes=[box])
    paths = await world.volumes.mount(one)
    [mount] = world.volumes.mounts(one, box, paths, {})
    assert (mount.container_path, mount.readonly) == ("/data", True)
    part = Path(paths["scratch"], "a/b")
    part.joinpath("x").touch()
    assert Path(mount.host_path, "x").exists()
    [again] = world.volumes.mounts(one, box, paths, {})
    assert again.host_path == mount.host_path
    named = _mount(subPathExpr="$(POD)")
    world.volumes.mounts(one, named, paths, {"POD": "web"})
    assert Path(paths["scratch"], "web").is_dir()
    with pytest.raises(VolumeProblem, match='missing value for "POD"'):
        world.volumes.mounts(one, named, paths, {})


@pytest.mark.parametrize(("sub_path", "own"), [("", False), ("a", False), ("", True)])
async def test_what_the_kubelet_writes_is_only_read(world: VolumeWorld, sub_path: str, own: bool):
    """A mount of a ConfigMap is read-only even where it says otherwise; an emptyDir is not."""
    await world.server.given(CONFIG_MAPS, config_map(a="1"))
    name = "scratch" if own else "config"
    box = container(volumeMounts=[VolumeMount(name=name, mountPath="/a", subPath=sub_path, readOnly=False)])
    one = pod_with(_config(), Volume(name="scratch", emptyDir=EmptyDirVolumeSource()), boxes=[box])
    [mount] = world.volumes.mounts(one, box, await world.volumes.mount(one), {})
    assert mount.readonly is not own


@pytest.mark.parametrize("sub_path", ["../other", "/etc", "out", "out/passwd", "in/../../x"])
async def test_no_sub_path_leads_out(world: VolumeWorld, sub_path: str):
    """Not by dots, not by links that a container has left."""
    box = _mount(sub_path)
    one = pod_with(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()), boxes=[box])
    paths = await world.volumes.mount(one)
    Path(paths["scratch"], "out").symlink_to("/etc")
    with pytest.raises(VolumeProblem, match="is not within the volume"):
        world.volumes.mounts(one, box, paths, {})


async def test_a_sub_path_may_be_one_key_of_a_config_map(world: VolumeWorld):
    """The links of the atomic writer stay within the volume."""
    await world.server.given(CONFIG_MAPS, config_map(a="1"))
    box = container(volumeMounts=[VolumeMount(name="config", mountPath="/a", subPath="a")])
    one = pod_with(_config(), boxes=[box])
    paths = await world.volumes.mount(one)
    [mount] = world.volumes.mounts(one, box, paths, {})
    assert Path(mount.host_path).read_text() == "1"


@pytest.mark.parametrize("written", ["a/" * 2049, "$(LONG)" * 1000], ids=["written", "expanded"])
async def test_a_sub_path_is_no_longer_than_linux_takes(world: VolumeWorld, written: str):
    """It is refused before anything walks along it, in a message of a bounded length."""
    box = _mount(subPathExpr=written)
    one = pod_with(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()), boxes=[box])
    paths = await world.volumes.mount(one)
    with pytest.raises(VolumeProblem, match=r"is longer than|failed to expand") as caught:
        world.volumes.mounts(one, box, paths, {"LONG": "a/" * 1000})
    assert len(caught.value.message) < 1000
    assert list(Path(paths["scratch"]).iterdir()) == []


async def test_one_config_map_in_many_files_fills_no_disk(world: VolumeWorld):
    """A megabyte once more is a line of the spec: what is more than 64 MiB is refused, and nothing of it is written."""
    await world.server.given(CONFIG_MAPS, config_map(a="x" * 900_000))
    items = [KeyToPath(key="a", path=f"f{number}") for number in range(100)]
    text = await world.problem(pod_with(_config(items=items)))
    assert "more than 67108864 bytes of files together" in text
    twice = [
        _config(items=items[:40]),
        Volume(name="more", configMap=ConfigMapVolumeSource(name="settings", items=items[:40])),
    ]
    assert "of files together" in await world.problem(pod_with(*twice))
    sources = [
        VolumeProjection(configMap=ConfigMapProjection(name="settings", items=[item])) for item in items
    ]
    projected = Volume(name="all", projected=ProjectedVolumeSource(sources=sources))
    assert "of files together" in await world.problem(pod_with(projected))


async def test_a_large_volume_is_whole(world: VolumeWorld):
    """Also where it is mounted and refreshed at the same time, beside the loop."""
    await world.server.given(CONFIG_MAPS, config_map(a="1"))
    items = [KeyToPath(key="a", path=f"d{number}/f") for number in range(300)]
    one = pod_with(_config(items=items))
    folder = await world.folder(one)
    assert len(visible(folder)) == 300
    await world.server.user.patch(CONFIG_MAPS, "settings", {"data": {"a": "2"}}, namespace="default")
    await asyncio.gather(world.volumes.mount(one), world.volumes.refresh(one), world.volumes.mount(one))
    assert {Path(folder, name, "f").read_text() for name in visible(folder)} == {"2"}
    assert len(_hidden(folder)) == 2


def test_the_group_owns_files_of_any_depth(tmp_path: Path):
    """A path of 1,500 segments is no recursion."""
    volume = tmp_path / "volume"
    volume.mkdir()
    path = "d/" * 1500 + "f"
    assert write_atomically(volume, {path: File(b"1", 0o600)}, stamp="s", group=os.getgid())
    remove_tree(volume)  # pytest could not


def test_other_files_of_apod_with(tmp_path: Path):
    """Logs, /etc/hosts, and the last words of a container."""
    files, one = PodFiles(tmp_path), pod()
    box = container(terminationMessagePath="/dev/termination-log")
    assert files.log_path(one, "main", 2) == "main/2.log"
    assert Path(files.log_directory(one), "main").is_dir()
    mount = files.termination_log(one, box, 2)
    assert mount is not None
    assert mount.container_path == "/dev/termination-log"
    Path(mount.host_path).write_bytes(b"x" * 5000 + b"end")
    words = files.read_termination_log("uid-default-web", "main", 2)
    assert (len(words), words[-3:]) == (4096, "end")
    assert files.read_termination_log("uid-default-web", "main", 1) == ""
    hosts = files.hosts_mount(one, box, ["10.1.0.5"])
    assert hosts is not None
    assert not [each for each in files.pod_dir("uid-default-web").iterdir() if each.is_dir()]
    assert "10.1.0.5\tweb\n" in Path(hosts.host_path).read_text()
    assert files.hosts_mount(one, box, []) is None
    files.sweep_logs({"other"})
    assert list((tmp_path / "logs").iterdir()) == []


async def test_an_empty_dir_of_any_depth_goes_with_its_pod(world: VolumeWorld):
    """A container may nest folders deeper than any stack."""
    one = pod_with(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()))
    folder = await world.folder(one)
    make_folders(folder, Path(*["d"] * 1_500))
    await world.volumes.unmount(one.metadata.uid)
    assert not (world.root / "pods" / one.metadata.uid).exists()


async def test_a_key_may_lie_as_deep_as_a_path_can_say(world: VolumeWorld):
    """An item's path of 1,500 segments is a file like any other, also when it is looked at again."""
    await world.server.given(CONFIG_MAPS, config_map(a="1"))
    path = "/".join(["d"] * 1_500)
    one = pod_with(_config(items=[KeyToPath(key="a", path=path)]))
    folder = await world.folder(one)
    assert (folder / path).read_text() == "1"
    before = (folder / "..data").readlink()
    await world.volumes.refresh(one)
    assert (folder / "..data").readlink() == before
    await world.volumes.unmount(one.metadata.uid)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("sub_path", "link"),
    [("a\0b", ""), ("root", "/proc/1/root"), ("loop", "loop"), ("x" * 300, "")],
)
async def test_a_sub_path_that_cannot_be_opened_is_this_containers_problem(
    world: VolumeWorld, sub_path: str, link: str
):
    """Bytes that no path has, links to nowhere good, names and paths that are too long."""
    box = _mount(sub_path)
    one = pod_with(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()), boxes=[box])
    paths = await world.volumes.mount(one)
    if link:
        Path(paths["scratch"], sub_path).symlink_to(link)
    with pytest.raises(VolumeProblem, match="subPath"):
        world.volumes.mounts(one, box, paths, {})


@pytest.mark.parametrize("where", ["a", "a/b"])
async def test_a_link_that_comes_while_a_sub_path_is_opened_is_not_followed(
    world: VolumeWorld, monkeypatch: pytest.MonkeyPatch, where: str
):
    """A container that runs may put one there between the look and the opening."""
    box = _mount("a/b")
    one = pod_with(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()), boxes=[box])
    paths = await world.volumes.mount(one)
    changing = Path(paths["scratch"], where)
    changing.mkdir(parents=True)
    seen = os.path.relpath

    def and_then_changed(*arguments: str) -> str:
        found = seen(*arguments)
        changing.rmdir()
        changing.symlink_to("/etc")
        return found

    monkeypatch.setattr("kubelet.volumes.sub_path.os.path.relpath", and_then_changed)
    with pytest.raises(VolumeProblem, match=r"symbolic link|Not a directory"):
        world.volumes.mounts(one, box, paths, {})
    assert not Path("/etc/b").exists()


def test_what_a_container_has_written_into_its_hosts_file_is_replaced(tmp_path: Path):
    """Whatever bytes they are; what the machine's own file has is handed on as it is."""
    files, one = PodFiles(tmp_path), pod()
    mount = files.hosts_mount(one, container(), ["10.1.0.5"])
    assert mount is not None
    written = Path(mount.host_path).read_bytes()
    Path(mount.host_path).write_bytes(b"\xff\xfe 127.0.0.1")
    files.hosts_mount(one, container(), ["10.1.0.5"])
    assert Path(mount.host_path).read_bytes() == written


def test_the_machines_hosts_file_may_hold_any_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A pod on the node's network gets them."""
    machine = tmp_path / "hosts"
    machine.write_bytes(b"127.0.0.1 localhost # \xe9\n")
    monkeypatch.setattr("kubelet.pod_files.HOSTS", str(machine))
    mount = PodFiles(tmp_path).hosts_mount(pod(hostNetwork=True), container(), [])
    assert mount is not None
    assert b"localhost # \xe9\n" in Path(mount.host_path).read_bytes()


async def test_images_are_mounted_by_the_runtime(world: VolumeWorld):
    """Read-only, with what is to be seen of them; the kubelet makes no folder."""
    box = container(
        volumeMounts=[
            VolumeMount(name="data", mountPath="/data"),
            VolumeMount(name="data", mountPath="small", subPathExpr="models/$(SIZE)"),
        ]
    )
    one = pod_with(Volume(name="data", image=ImageVolumeSource(reference="data:1")), boxes=[box])
    assert await world.volumes.mount(one) == {}
    mounts = world.volumes.mounts(one, box, {}, {"SIZE": "small"}, {"data": "sha256:0"})
    assert [(each.container_path, each.image_sub_path, each.host_path) for each in mounts] == [
        ("/data", "", ""),
        ("/small", "models/small", ""),
    ]
    assert {(each.image.image, each.image.user_specified_image, each.readonly) for each in mounts} == {
        ("sha256:0", "data:1", True)
    }
    with pytest.raises(VolumeProblem, match="cannot find volume"):
        world.volumes.mounts(one, box, {}, {"SIZE": "small"})
