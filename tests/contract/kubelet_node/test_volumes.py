# ruff: noqa: ASYNC240 - looking at the files is what these tests do
"""Volumes on a real file system, with an apiserver in memory."""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubelet.core.volumes import File
from kubelet.pod_files import PodFiles
from kubelet.volumes import VolumeProblem, Volumes
from kubelet.volumes.atomic_writer import write_atomically
from kubelet.volumes.mounting import mounts_are_seen, unmount_below
from machinery.model.k8s.authentication_v1 import TokenRequest, TokenRequestStatus
from machinery.model.k8s.core_v1 import (
    ConfigMap,
    ConfigMapProjection,
    ConfigMapVolumeSource,
    Container,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodSecurityContext,
    ProjectedVolumeSource,
    Secret,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from machinery.model.resources import CONFIG_MAPS, SECRETS
from tests.support.builders import config_map, container, meta, pod
from tests.support.kubelet_node import KeptEvents
from tests.support.memory_api import MemoryApi, MemoryServer
from tests.support.virtual_clock import VirtualClock

FILES = {"a": File(b"1", 0o644), "d/b": File(b"2", 0o600)}


def _visible(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".."))


def _hidden(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.name.startswith(".."))


def test_files_are_written_and_seen_through_one_link(tmp_path: Path):
    """Contents and modes are as they were wanted; nothing else is there."""
    assert write_atomically(tmp_path, FILES, stamp="t")
    assert (_visible(tmp_path), (tmp_path / "d/b").read_bytes()) == (["a", "d"], b"2")
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
    assert _visible(tmp_path) == sorted({path.split("/")[0] for path in new})
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


class _TokenApi(MemoryApi):
    """The in-memory apiserver, with tokens."""

    asked: list[tuple[str, str, Any]]
    clock: VirtualClock

    async def post(
        self, _resource: Any, name: str, subresource: str, body: Any, _reply: Any, **_: Any
    ) -> Any:
        self.asked.append((name, subresource, body))
        expires = self.clock.timescale.format(self.clock.now() + body.spec.expirationSeconds)
        token = f"token-{len(self.asked)}"
        return TokenRequest(status=TokenRequestStatus(token=token, expirationTimestamp=expires))


class _World:
    def __init__(self, root: Path) -> None:
        self.clock, self.events = VirtualClock(), KeptEvents()
        self.api = _TokenApi(MemoryServer(), "kubelet")
        self.api.asked, self.api.clock = [], self.clock
        self.root = root
        self.volumes = self.restarted()

    def restarted(self) -> Volumes:
        return Volumes(
            self.api,
            self.root,
            self.clock,
            self.events,
            allocatable=lambda: {"memory": "8Gi"},  # type: ignore[arg-type]
        )

    async def problem(self, one: Pod) -> str:
        with pytest.raises(VolumeProblem) as caught:
            await self.volumes.mount(one)
        return caught.value.message


@pytest.fixture
def world(tmp_path: Path) -> Iterator[_World]:
    yield _World(tmp_path)
    if os.geteuid() == 0:
        unmount_below(tmp_path)


def _pod(*volumes: Volume, boxes: list[Container] | None = None, **spec: Any) -> Pod:
    return pod(volumes=list(volumes), containers=boxes, **spec)


def _config(name: str = "settings", **fields: Any) -> Volume:
    return Volume(name="config", configMap=ConfigMapVolumeSource(name=name, **fields))


async def test_a_config_map_reaches_its_files_and_so_do_its_changes(world: _World):
    """`refresh` brings the new version."""
    await world.api.create(CONFIG_MAPS, config_map(a="1"))
    one = _pod(_config(defaultMode=0o440))
    folder = Path((await world.volumes.mount(one))["config"])
    assert (folder / "a").read_text() == "1"
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o440
    assert folder.relative_to(world.root).parts == (
        "pods", "uid-default-web", "volumes", "kubernetes.io~configmap", "config",
    )  # fmt: skip
    await world.api.patch(CONFIG_MAPS, "settings", {"data": {"a": "2"}}, namespace="default")
    await world.volumes.refresh(one)
    assert (folder / "a").read_text() == "2"


async def test_an_immutable_one_is_read_once(world: _World):
    """Nobody asks for it again."""
    await world.api.create(
        CONFIG_MAPS, ConfigMap(metadata=meta("settings", "default"), data={"a": "1"}, immutable=True)
    )
    one = _pod(_config())
    folder = Path((await world.volumes.mount(one))["config"])
    await world.api.delete(CONFIG_MAPS, "settings", namespace="default")
    await world.volumes.refresh(one)
    assert (folder / "a").read_text() == "1"
    assert world.events.all == []


async def test_a_missing_source_is_told_and_an_optional_one_is_empty(world: _World):
    """FailedMount says which volume and why; what was mounted already stays as it was."""
    assert await world.problem(_pod(_config())) == 'configmap "settings" not found'
    assert world.events.all[0][2:] == (
        "FailedMount",
        'MountVolume.SetUp failed for volume "config" : configmap "settings" not found',
    )
    optional = Path((await world.volumes.mount(_pod(_config(optional=True))))["config"])
    assert _visible(optional) == []


async def test_a_kind_that_is_not_built_says_so(world: _World):
    """Nothing is approximated."""
    claim = Volume(name="disk", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName="c"))
    assert await world.problem(_pod(claim)) == "volumes of kind persistentVolumeClaim are not built"


async def test_the_token_is_bound_to_the_pod_and_renewed(world: _World):
    """Asked for once, and again after 80 % of its life."""
    await world.api.create(CONFIG_MAPS, config_map("kube-root-ca.crt", **{"ca.crt": "CA"}))
    sources = [
        VolumeProjection(
            serviceAccountToken=ServiceAccountTokenProjection(path="token", expirationSeconds=3607)
        ),
        VolumeProjection(configMap=ConfigMapProjection(name="kube-root-ca.crt")),
    ]
    one = _pod(
        Volume(name="access", projected=ProjectedVolumeSource(sources=sources)), serviceAccountName="robot"
    )
    folder = Path((await world.volumes.mount(one))["access"])
    assert (folder / "token").read_text() == "token-1"
    assert _visible(folder) == ["ca.crt", "token"]
    [(account, subresource, request)] = world.api.asked
    assert (account, subresource) == ("robot", "token")
    assert (request.spec.boundObjectRef.name, request.spec.boundObjectRef.uid) == ("web", "uid-default-web")
    await world.clock.advance(2000)
    await world.volumes.refresh(one)
    assert (folder / "token").read_text() == "token-1"
    await world.clock.advance(1000)
    await world.volumes.refresh(one)
    assert (folder / "token").read_text() == "token-2"


async def test_an_empty_dir_outlives_the_kubelet_but_not_the_pod(world: _World):
    """Its content is the containers'."""
    one = _pod(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()))
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


async def test_secrets_and_memory_volumes_touch_no_disk(world: _World):
    """They are tmpfs mounts, where mounts reach the runtime; they go with the pod."""
    if not mounts_are_seen(world.root):
        pytest.skip("mounts made here reach nobody (needs root in the machine's mount namespace)")
    await world.api.create(
        SECRETS, Secret(metadata=meta("s", "default"), data={"k": b64encode(b"v").decode()})
    )
    volumes = (
        Volume(name="secret", secret=SecretVolumeSource(secretName="s")),
        Volume(name="memory", emptyDir=EmptyDirVolumeSource(medium="Memory", sizeLimit="1Mi")),
    )
    one = _pod(*volumes)
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


async def test_fs_group_owns_the_files(world: _World):
    """The group may read files that only the owner could, and write where it may."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    await world.api.create(CONFIG_MAPS, config_map(a="1"))
    scratch = Volume(name="scratch", emptyDir=EmptyDirVolumeSource())
    one = _pod(_config(defaultMode=0o400), scratch, securityContext=PodSecurityContext(fsGroup=4321))
    paths = await world.volumes.mount(one)
    status = Path(paths["config"], "a").stat()
    assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (4321, 0o440)
    folder = Path(paths["scratch"]).stat()
    assert (folder.st_gid, stat.S_IMODE(folder.st_mode)) == (4321, 0o2777)
    before = Path(paths["config"], "..data").readlink()
    await world.volumes.refresh(one)
    assert Path(paths["config"], "..data").readlink() == before


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
async def test_host_paths_are_checked_by_their_type(world: _World, type_: str, existing: str, problem: str):
    """And made, where the type allows."""
    path = world.root / "host" / "thing"
    path.parent.mkdir()
    if existing:
        path.touch()
    one = _pod(Volume(name="host", hostPath=HostPathVolumeSource(path=str(path), type=type_)))
    if problem:
        assert problem in await world.problem(one)
    else:
        assert await world.volumes.mount(one) == {"host": str(path)}
        assert path.exists() is (type_ != "")


def _mount(sub_path: str = "", **fields: Any) -> Container:
    return container(
        volumeMounts=[VolumeMount(name="scratch", mountPath="/data", subPath=sub_path, **fields)]
    )


async def test_mounts_of_a_container(world: _World):
    """A part of a volume is made where it is missing, and named by variables too."""
    box = _mount("a/b", readOnly=True)
    one = _pod(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()), boxes=[box])
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


@pytest.mark.parametrize("sub_path", ["../other", "/etc", "out", "out/passwd", "in/../../x"])
async def test_no_sub_path_leads_out(world: _World, sub_path: str):
    """Not by dots, not by links that a container has left."""
    box = _mount(sub_path)
    one = _pod(Volume(name="scratch", emptyDir=EmptyDirVolumeSource()), boxes=[box])
    paths = await world.volumes.mount(one)
    Path(paths["scratch"], "out").symlink_to("/etc")
    with pytest.raises(VolumeProblem, match="is not within the volume"):
        world.volumes.mounts(one, box, paths, {})


async def test_a_sub_path_may_be_one_key_of_a_config_map(world: _World):
    """The links of the atomic writer stay within the volume."""
    await world.api.create(CONFIG_MAPS, config_map(a="1"))
    box = container(volumeMounts=[VolumeMount(name="config", mountPath="/a", subPath="a")])
    one = _pod(_config(), boxes=[box])
    paths = await world.volumes.mount(one)
    [mount] = world.volumes.mounts(one, box, paths, {})
    assert Path(mount.host_path).read_text() == "1"


def test_other_files_of_a_pod(tmp_path: Path):
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
    assert "10.1.0.5\tweb\n" in Path(hosts.host_path).read_text()
    assert files.hosts_mount(one, box, []) is None
    files.sweep_logs({"other"})
    assert list((tmp_path / "logs").iterdir()) == []
