"""Folders that others have filled: deep, with long paths, with links that lead elsewhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kubelet.volumes.mounting import bind, unmount_at
from machinery.process.trees import keeps_out_of_mounts, make_folders, measure_tree, remove_tree, walk_tree
from tests.support.requirements import need

DEPTH = 1_500


def _nest(root: Path, name: str, depth: int) -> None:
    """Make folders in each other, by descriptors: their path may be longer than the kernel takes."""
    folder = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(os.open("deepest", os.O_CREAT, dir_fd=folder))
    os.close(folder)


@pytest.mark.parametrize("name", ["d", "a long name that makes the path too long", os.fsdecode(b"\xff\xfe")])
def test_folders_of_any_depth_are_removed(tmp_path: Path, name: str):
    """Without recursion, with few descriptors, whatever the length of their path."""
    root = tmp_path / "volume"
    root.mkdir()
    _nest(root, name, DEPTH)
    remove_tree(root)
    assert not root.exists()


def test_everything_in_a_wide_tree_is_removed_and_nothing_beside_it(tmp_path: Path):
    """Files, links to folders and to nowhere, empty and full folders; what a link leads to stays."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    root = tmp_path / "volume"
    for index in range(20):
        folder = root / f"d{index}" / "inner"
        folder.mkdir(parents=True)
        (folder / "file").touch()
        (folder / "link").symlink_to(kept)
        (folder / "nowhere").symlink_to("missing")
        (root / f"empty{index}").mkdir()
    remove_tree(root)
    assert not root.exists()
    assert (kept / "file").exists()


def test_a_folder_that_is_not_there_is_removed_already(tmp_path: Path):
    """Removal may be tried again."""
    remove_tree(tmp_path / "none")


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path):
    """What it leads to stays, and the error says so."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    with pytest.raises(OSError, match="link"):
        remove_tree(tmp_path / "link")
    assert (tmp_path / "kept").is_dir()


def test_a_walk_shows_each_entry_once_and_follows_no_link(tmp_path: Path):
    """Folders, files and links, at any depth."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    (tmp_path / "a" / "b" / "up").symlink_to("..")
    found = sorted(os.path.relpath(entry.path, tmp_path) for entry in walk_tree(tmp_path))
    assert found == ["a", "a/b", "a/b/up", "a/file"]


def test_folders_are_made_without_recursion(tmp_path: Path):
    """As many as a path can name."""
    folder = make_folders(tmp_path, Path(*["d"] * DEPTH))
    assert folder.is_dir()
    assert sum(1 for _ in walk_tree(tmp_path)) == DEPTH
    remove_tree(tmp_path / "d")


def test_what_is_mounted_in_a_folder_is_neither_entered_nor_emptied(tmp_path: Path):
    """A bind mount on the same file system has the same device number; the kernel alone can tell it from a folder."""
    need("mounts")
    assert keeps_out_of_mounts()
    root, foreign = tmp_path / "volume", tmp_path / "foreign"
    for folder in (root / "a" / "mounted", foreign):
        folder.mkdir(parents=True)
    (foreign / "kept").touch()
    source = os.open(foreign, os.O_PATH)
    bind(source, root / "a" / "mounted")
    try:
        with pytest.raises(OSError, match="mounted"):
            remove_tree(root)
        assert (foreign / "kept").exists()
    finally:
        os.close(source)
        unmount_at(root / "a" / "mounted")
    remove_tree(root)
    assert not root.exists()


def test_a_tree_is_measured_as_du_does(tmp_path: Path):
    """By the blocks that are used: a sparse file takes none, one with two names counts once; links are not followed."""
    (tmp_path / "beside").write_bytes(b"x" * 10**6)
    root = tmp_path / "volume"
    (root / "inner" / "deeper").mkdir(parents=True)
    (root / "inner" / "file").write_bytes(b"x" * 300_000)
    (root / "inner" / "deeper" / "same").hardlink_to(root / "inner" / "file")
    (root / "link").symlink_to(tmp_path / "beside")
    (root / "loop").symlink_to(root)
    with (root / "sparse").open("wb") as sparse:
        sparse.truncate(10**9)
    whole = measure_tree(root, 100)
    du = subprocess.run(["du", "-s", "--block-size=1", root], capture_output=True, check=True, text=True)
    assert whole == (int(du.stdout.split()[0]), 7, True)
    assert 300_000 <= whole.used_bytes < 10**6


def test_measuring_is_bounded(tmp_path: Path):
    """What was counted until then is told; of a folder that is not there nothing is."""
    for number in range(20):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}" / "file").touch()
    assert measure_tree(tmp_path, 40)[1:] == (41, True)
    assert measure_tree(tmp_path, 39)[2] is False
    assert measure_tree(tmp_path, 5)[1:] == (6, False)
    assert measure_tree(tmp_path / "none", 5) == (0, 0, True)


def test_folders_of_any_depth_are_measured(tmp_path: Path):
    """Without recursion, whatever the length of their path."""
    root = tmp_path / "volume"
    root.mkdir()
    _nest(root, "d", DEPTH)
    try:
        assert measure_tree(root, 10_000)[1:] == (DEPTH + 2, True)
    finally:
        remove_tree(root)
