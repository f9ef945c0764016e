"""Files of variables in a volume that a pod writes: read from there, and from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kubelet.core.environment import MAX_TOTAL_BYTES
from kubelet.env_files import EnvFiles
from machinery.model.k8s.core_v1 import FileKeySelector


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    made = tmp_path / "config"
    (made / "a" / "b").mkdir(parents=True)
    (made / "app.env").write_text("A='1'\nB='2'\n")
    (made / "a" / "b" / "deep.env").write_text("A='deep'")
    (tmp_path / "secret.env").write_text("A='secret'")
    return made


def wanted(path: str = "app.env", key: str = "A", **fields: bool) -> FileKeySelector:
    return FileKeySelector(volumeName="config", path=path, key=key, **fields)


async def test_a_variable_is_what_the_file_says(volume: Path):
    """Of files in folders, too; a file that changes is read again for the next container."""
    files = EnvFiles({"config": str(volume)})
    assert [await files.value(wanted(key=key)) for key in "AB"] == ["1", "2"]
    assert await files.value(wanted("a/b/deep.env")) == "deep"
    (volume / "app.env").write_text("A='new'")
    assert await EnvFiles({"config": str(volume)}).value(wanted()) == "new"


async def test_what_is_missing_is_missed_unless_it_is_optional(volume: Path):
    """A key, a file, a folder; a volume has to be there."""
    files = EnvFiles({"config": str(volume)})
    for source in (wanted(key="C"), wanted("none.env"), wanted("none/app.env")):
        with pytest.raises(ValueError, match=r"^couldn't find key"):
            await files.value(source)
    for path, key in (("app.env", "C"), ("none.env", "A"), ("none/app.env", "A")):
        assert await files.value(wanted(path, key, optional=True)) is None
    with pytest.raises(ValueError, match="cannot find the volume 'config'"):
        await EnvFiles({}).value(wanted(optional=True))


@pytest.mark.parametrize(
    "path", ["link.env", "out/secret.env", "pipe", "a", "../secret.env", "binary", "wrong", "large"]
)
async def test_what_is_no_such_file_within_the_volume_is_refused(volume: Path, tmp_path: Path, path: str):
    """No link is followed, no pipe waited for, and no more is read than a process could have; optional or not."""
    (volume / "link.env").symlink_to(tmp_path / "secret.env")
    (volume / "out").symlink_to(tmp_path)
    os.mkfifo(volume / "pipe")
    (volume / "binary").write_bytes(b"A='\xff'")
    (volume / "wrong").write_text("A=1")
    with (volume / "large").open("wb") as file:
        file.truncate(MAX_TOTAL_BYTES + 1)
    with pytest.raises(ValueError, match=f"^file {path} of volume config cannot be used: "):
        await EnvFiles({"config": str(volume)}).value(wanted(path, optional=True))
