"""The files of volumes, before anybody writes them."""

from __future__ import annotations

from base64 import b64encode

import pytest

from kubelet.core.field_values import Addresses
from kubelet.core.volumes import (
    MAX_WRITTEN_BYTES,
    File,
    Room,
    checked,
    config_map_data,
    downward_files,
    is_large,
    keyed_files,
    kind_of,
    memory_volume_bytes,
    owner_of_files,
    ownership_mode,
    token_refresh_s,
)
from machinery.model.k8s.core_v1 import (
    ConfigMap,
    DownwardAPIVolumeFile,
    EmptyDirVolumeSource,
    KeyToPath,
    ObjectFieldSelector,
    PodSecurityContext,
    SecurityContext,
    Volume,
)
from tests.support.builders import container, pod

DATA = {"a": b"1", "b": b"2"}


def test_every_key_is_a_file_unless_some_are_chosen():
    """Chosen keys have their own paths and modes."""
    everything = keyed_files(DATA, [], mode=0o400, optional=False, missing="")
    assert everything == {"a": File(b"1", 0o400), "b": File(b"2", 0o400)}
    items = [KeyToPath(key="a", path="x/y", mode=0o600)]
    assert keyed_files(DATA, items, mode=None, optional=False, missing="") == {"x/y": File(b"1", 0o600)}


def test_a_chosen_key_that_is_not_there_is_named():
    """Unless the volume is optional."""
    items = [KeyToPath(key="gone", path="x")]
    with pytest.raises(ValueError, match="no such key: gone"):
        keyed_files(DATA, items, mode=None, optional=False, missing="no such key")
    assert keyed_files(DATA, items, mode=None, optional=True, missing="") == {}


def test_binary_data_is_decoded():
    """Text and bytes stand side by side in a ConfigMap."""
    found = config_map_data(ConfigMap(data={"t": "ä"}, binaryData={"b": b64encode(b"\x00\xff").decode()}))
    assert found == {"t": "ä".encode(), "b": b"\x00\xff"}


@pytest.mark.parametrize(
    "path", ["", "/abs", "../x", "a/../b", "..data", "..x/y", ".", "a" * 256, "a/" * 2100 + "b"]
)
def test_no_path_leads_out_of_a_volume(path: str):
    """Nor to where the writer keeps its own files."""
    with pytest.raises(ValueError, match="invalid path"):
        checked({path: File(b"", 0o644)})


def test_paths_are_cleaned():
    """A dot and a doubled slash are no names; ...x is one."""
    assert list(checked({"./a//b": File(b"", 0o644), "c..d": File(b"", 0o644)})) == ["a/b", "c..d"]


def test_downward_files():
    """Fields as files."""
    item = DownwardAPIVolumeFile(path="labels", fieldRef=ObjectFieldSelector(fieldPath="metadata.labels"))
    files = downward_files(pod(labels={"a": "b"}), [item], mode=None, addresses=Addresses(), allocatable={})
    assert files == {"labels": File(b'a="b"', 0o644)}


def test_a_field_is_written_once_for_all_files_that_show_it():
    """Annotations are up to 256 KiB, and a line of the spec is one more file of them."""
    ref = ObjectFieldSelector(fieldPath="metadata.annotations")
    items = [DownwardAPIVolumeFile(path=f"f{number}", fieldRef=ref) for number in range(50)]
    files = downward_files(pod(), items, mode=None, addresses=Addresses(), allocatable={})
    assert len({id(file.data) for file in files.values()}) == 1


def test_a_pod_has_room_for_so_much_and_no_more():
    """Files count as the blocks that they take, and so do folders."""
    room = Room()
    half = {"a": File(bytes(MAX_WRITTEN_BYTES // 2 - 4096), 0o644)}
    assert room.take(half) is half
    room.take(half)
    with pytest.raises(ValueError, match="more than 67108864 bytes of files together"):
        room.take({"b": File(b"", 0o644)})
    deep = {f"{'d/' * 1000}{number}": File(b"", 0o644) for number in range(20)}
    with pytest.raises(ValueError, match="of files together"):
        Room().take(deep)


def test_what_is_written_while_the_others_wait_is_little():
    """Many files, or many bytes, are written beside the loop."""
    small = File(b"x", 0o644)
    assert not is_large({"a": small})
    assert is_large({f"f{number}": small for number in range(65)})
    assert is_large({"a": File(bytes(2**20), 0o644)})


def test_whose_files_they_are():
    """One user for all containers owns the token, two own nothing."""
    of = SecurityContext(runAsUser=5)
    assert owner_of_files(pod(containers=[container(securityContext=of)])) == 5
    assert owner_of_files(pod(containers=[container(), container("b", securityContext=of)])) is None
    inherited = pod(securityContext=PodSecurityContext(runAsUser=7))
    assert owner_of_files(inherited) == 7


@pytest.mark.parametrize(("limit", "expected"), [("", 2**26), ("1Mi", 2**20), ("1Gi", 2**26)])
def test_a_volume_in_memory_is_bounded_by_its_pod(limit: str, expected: int):
    """Its pages count as its containers' memory."""
    one = pod(limits={"memory": "64Mi"})
    assert memory_volume_bytes(one, limit, {"memory": "8Gi"}) == expected


def test_tokens_are_renewed_in_time():
    """After 80 % of an hour, and of a year after a day."""
    assert token_refresh_s(100, 3700) == 2980
    assert token_refresh_s(0, 365 * 86400) == 86400


def test_a_group_is_let_in():
    """It reads files and enters folders; it writes where it may."""
    assert ownership_mode(0o600, directory=False, read_only=True) == 0o640
    assert ownership_mode(0o755, directory=True, read_only=False) == 0o2775


def test_the_kind_of_a_volume():
    """The one field beside its name."""
    assert kind_of(Volume(name="v", emptyDir=EmptyDirVolumeSource())) == "emptyDir"
    assert kind_of(Volume(name="v")) == ""
