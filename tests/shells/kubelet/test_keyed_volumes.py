# ruff: noqa: ASYNC240 - looking at the files is what these tests do
"""ConfigMaps and Secrets as files: alone in a volume and projected, the rules are the same."""

from __future__ import annotations

import stat
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kubelet.volumes import volumes
from machinery.model.k8s.core_v1 import (
    ConfigMap,
    ConfigMapProjection,
    ConfigMapVolumeSource,
    KeyToPath,
    ProjectedVolumeSource,
    Secret,
    SecretProjection,
    SecretVolumeSource,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from machinery.model.resources import CONFIG_MAPS, SECRETS
from tests.support.builders import container, meta
from tests.support.requirements import need
from tests.support.volumes import VolumeWorld, pod_with, visible


def _encoded(data: dict[str, bytes]) -> dict[str, str]:
    return {key: b64encode(content).decode() for key, content in data.items()}


@dataclass(frozen=True)
class Source:
    """One of the two kinds, alone in a volume or projected into one."""

    word: str
    missing_key: str
    is_projected: bool

    async def write(self, world: VolumeWorld, **data: bytes) -> None:
        """Have the object "settings", with this data."""
        about = meta("settings", "default")
        if self.word == "secret":
            await _put(world, SECRETS, Secret(metadata=about, data=_encoded(data)))
        else:
            content = ConfigMap(metadata=about, binaryData=_encoded(data))
            await _put(world, CONFIG_MAPS, content)

    async def delete(self, world: VolumeWorld) -> None:
        await world.api.delete(
            SECRETS if self.word == "secret" else CONFIG_MAPS, "settings", namespace="default"
        )

    def volume(self, mode: int | None = None, **fields: Any) -> Volume:
        """Return a volume named v of the object "settings"."""
        if self.is_projected:
            kind = SecretProjection if self.word == "secret" else ConfigMapProjection
            field = "secret" if self.word == "secret" else "configMap"
            source = VolumeProjection(**{field: kind(name="settings", **fields)})
            return Volume(name="v", projected=ProjectedVolumeSource(sources=[source], defaultMode=mode))
        if self.word == "secret":
            return Volume(
                name="v", secret=SecretVolumeSource(secretName="settings", defaultMode=mode, **fields)
            )
        return Volume(name="v", configMap=ConfigMapVolumeSource(name="settings", defaultMode=mode, **fields))


async def _put(world: VolumeWorld, resource: Any, obj: Any) -> None:
    if any(True for _ in (await world.api.list(resource)).items):
        await world.api.delete(resource, obj.metadata.name, namespace="default")
    await world.server.given(resource, obj)


KINDS = [
    ("configmap", "configmap references non-existent config key"),
    ("secret", "references non-existent secret key"),
]


@pytest.fixture(
    params=[Source(*kind, is_projected=projected) for kind in KINDS for projected in (False, True)],
    ids=lambda source: f"{'projected-' if source.is_projected else ''}{source.word}",
)
def source(request: pytest.FixtureRequest) -> Source:
    """Both kinds, both ways."""
    return request.param


async def test_every_key_is_a_file_of_the_default_mode(world: VolumeWorld, source: Source):
    """Bytes as they are; 0644 where nothing is said."""
    await source.write(world, a=b"1", b=b"\x00\xff")
    folder = await world.folder(pod_with(source.volume()))
    assert {name: (folder / name).read_bytes() for name in visible(folder)} == {"a": b"1", "b": b"\x00\xff"}
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o644


async def test_the_text_of_a_config_map_stands_beside_its_bytes(world: VolumeWorld):
    """`data` is UTF-8, `binaryData` is base64."""
    both = ConfigMap(
        metadata=meta("settings", "default"), data={"t": "ä"}, binaryData=_encoded({"b": b"\x00"})
    )
    await world.server.given(CONFIG_MAPS, both)
    folder = await world.folder(pod_with(Volume(name="v", configMap=ConfigMapVolumeSource(name="settings"))))
    assert ((folder / "t").read_bytes(), (folder / "b").read_bytes()) == ("ä".encode(), b"\x00")


async def test_chosen_keys_have_their_own_paths_and_modes(world: VolumeWorld, source: Source):
    """The volume's mode holds for those that say none; keys that are not chosen are not there."""
    await source.write(world, a=b"1", b=b"2", c=b"3")
    items = [KeyToPath(key="a", path="x/y", mode=0o600), KeyToPath(key="b", path="z")]
    folder = await world.folder(pod_with(source.volume(mode=0o440, items=items)))
    assert visible(folder) == ["x", "z"]
    modes = [stat.S_IMODE((folder / path).stat().st_mode) for path in ("x/y", "z")]
    assert ((folder / "x/y").read_bytes(), modes) == (b"1", [0o600, 0o440])


async def test_an_object_that_is_missing_is_named(world: VolumeWorld, source: Source):
    """In the error and in the FailedMount event."""
    words = f'{source.word} "settings" not found'
    assert await world.problem(pod_with(source.volume())) == words
    assert world.events.all[0][2:] == ("FailedMount", f'MountVolume.SetUp failed for volume "v" : {words}')


async def test_a_chosen_key_that_is_missing_is_named(world: VolumeWorld, source: Source):
    """In Kubernetes' words, which differ between the two."""
    await source.write(world, a=b"1")
    gone = source.volume(items=[KeyToPath(key="a", path="a"), KeyToPath(key="gone", path="x")])
    assert await world.problem(pod_with(gone)) == f"{source.missing_key}: gone"


async def test_what_is_optional_may_be_missing(world: VolumeWorld, source: Source):
    """The whole object or a chosen key; it appears when it comes."""
    one = pod_with(source.volume(optional=True, items=[KeyToPath(key="a", path="a")]))
    folder = await world.folder(one)
    assert visible(folder) == []
    await source.write(world, b=b"2")
    await world.volumes.refresh(one)
    assert visible(folder) == []
    await source.write(world, a=b"1")
    await world.volumes.refresh(one)
    assert (folder / "a").read_bytes() == b"1"


async def test_a_new_version_comes_by_one_swap_of_a_link(world: VolumeWorld, source: Source):
    """`..data` leads to another folder; the links that containers see stay what they are."""
    await source.write(world, a=b"1", b=b"1")
    one = pod_with(source.volume())
    folder = await world.folder(one)
    before, seen = (folder / "..data").readlink(), (folder / "a").lstat().st_ino
    await source.write(world, a=b"2", b=b"2")
    await world.volumes.refresh(one)
    after = (folder / "..data").readlink()
    assert ((folder / "a").read_bytes(), (folder / after / "b").read_bytes()) == (b"2", b"2")
    assert after != before
    assert not (folder / before).exists()
    assert ((folder / "a").readlink().parts, (folder / "a").lstat().st_ino) == (("..data", "a"), seen)


async def test_what_was_mounted_stays_when_its_object_goes(world: VolumeWorld, source: Source):
    """It is told, and the containers keep what they have."""
    await source.write(world, a=b"1")
    one = pod_with(source.volume())
    folder = await world.folder(one)
    await source.delete(world)
    await world.volumes.refresh(one)
    assert (folder / "a").read_bytes() == b"1"
    assert world.events.reasons == ["FailedMount"]


async def test_a_sub_path_keeps_the_version_that_its_container_began_with(world: VolumeWorld, source: Source):
    """The volume is brought up to date; the part is a mount of the old file, until the container is made again."""
    need("mounts")
    await source.write(world, a=b"1")
    box = container(volumeMounts=[VolumeMount(name="v", mountPath="/a", subPath="a")])
    one = pod_with(source.volume(), boxes=[box])
    folder = await world.folder(one)
    paths = {"v": str(folder)}
    [mount] = world.volumes.mounts(one, box, paths, {})
    await source.write(world, a=b"2")
    await world.volumes.refresh(one)
    assert ((folder / "a").read_bytes(), Path(mount.host_path).read_bytes()) == (b"2", b"1")
    [again] = world.volumes.mounts(one, box, paths, {})
    assert Path(again.host_path).read_bytes() == b"2"


async def test_secrets_lie_in_memory_and_config_maps_on_disk(world: VolumeWorld, source: Source):
    """Whatever may hold a secret (a projected volume, too) is a tmpfs, where mounts reach the runtime."""
    need("mounts")
    await source.write(world, a=b"1")
    folder = await world.folder(pod_with(source.volume()))
    assert folder.is_mount() == (source.word == "secret" or source.is_projected)
    assert world.log.all == []


async def test_where_mounts_reach_nobody_secrets_lie_on_disk_and_the_log_says_why(
    world: VolumeWorld, monkeypatch: pytest.MonkeyPatch
):
    """A volume on disk is better than none; it is told once, when the kubelet starts."""
    monkeypatch.setattr(volumes, "mounts_are_seen", lambda _: False)
    source = Source(*KINDS[1], is_projected=False)
    await source.write(world, a=b"1")
    world.volumes = world.restarted()
    folder = await world.folder(pod_with(source.volume()))
    assert ((folder / "a").read_bytes(), folder.is_mount()) == (b"1", False)
    assert world.log.reasons == ["volumes_on_disk"]
    assert "do not reach the container runtime" in world.log.messages[0]
