"""Settings of cgroup v2, written into real files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dockershim.core.cgroup_files import UNIFIED, cgroup_paths
from dockershim.unified import write_unified


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """The folder of our own cgroup, below another root."""
    path = cgroup_paths(Path("/proc/self/cgroup").read_text()).get(UNIFIED, "")
    folder = tmp_path / path.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_each_setting_goes_into_its_file(group: Path, tmp_path: Path):
    """Of the process's own cgroup."""
    for name in ("memory.oom.group", "memory.high"):
        (group / name).write_text("0")
    write_unified(os.getpid(), {"memory.oom.group": "1", "memory.high": "9"}, tmp_path)
    assert ((group / "memory.oom.group").read_text(), (group / "memory.high").read_text()) == ("1", "9")


def test_a_setting_that_the_kernel_does_not_have_is_named(group: Path, tmp_path: Path):
    """No file is made."""
    with pytest.raises(FileNotFoundError, match=r"memory\.nonsuch"):
        write_unified(os.getpid(), {"memory.nonsuch": "1"}, tmp_path)
    assert list(group.iterdir()) == []


def test_a_value_that_the_kernel_refuses_is_an_error(group: Path, tmp_path: Path):
    """With the file's name."""
    (group / "memory.high").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"memory\.high"):
        write_unified(os.getpid(), {"memory.high": "1"}, tmp_path)


def test_a_process_that_has_ended_needs_nothing(tmp_path: Path):
    """Its cgroup has gone with it."""
    write_unified(2**22 + 1, {"memory.high": "1"}, tmp_path)
