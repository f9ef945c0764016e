"""The records of the simulated machine on a real disk: whole after a kill at any moment, and cheap to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from hollow.records import NodeRecord, RecordFolder, SandboxRecord


def _sandbox(stopped_s: float | None = None) -> SandboxRecord:
    return SandboxRecord("s1", b"\x0a\n\x00config", "", 1.5, stopped_s=stopped_s)


@pytest.fixture
def folder(tmp_path: Path) -> RecordFolder:
    return RecordFolder(str(tmp_path), "sandboxes")


def test_the_last_version_is_read(folder: RecordFolder):
    """Whatever bytes are in it; what is removed is gone."""
    folder.save("s1", _sandbox())
    folder.save("s1", _sandbox(stopped_s=2.5))
    assert folder.load(SandboxRecord) == [_sandbox(stopped_s=2.5)]
    folder.remove("s1")
    folder.remove("s1")
    assert folder.load(SandboxRecord) == []


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_version_that_was_cut_off_is_not_there(folder: RecordFolder, tmp_path: Path, cut: int):
    """A change leaves the version before, a new record nothing; what is written next is whole again."""
    folder.save("s1", _sandbox())
    path = tmp_path / "sandboxes" / "s1.json"
    first = path.read_bytes()
    folder.save("s1", _sandbox(stopped_s=2.5))
    path.write_bytes(path.read_bytes()[:-cut])
    assert folder.load(SandboxRecord) == [_sandbox()]
    folder.save("s1", _sandbox(stopped_s=3.5))
    assert folder.load(SandboxRecord) == [_sandbox(stopped_s=3.5)]
    path.write_bytes(first[:-cut])
    assert folder.load(SandboxRecord) == []


def test_a_change_makes_no_new_file(folder: RecordFolder, tmp_path: Path):
    """That would be most of what a pod's start costs here."""
    folder.save("s1", _sandbox())
    before = (tmp_path / "sandboxes" / "s1.json").stat().st_ino
    folder.save("s1", _sandbox(stopped_s=2.5))
    assert (tmp_path / "sandboxes" / "s1.json").stat().st_ino == before


def test_what_changes_for_ever_does_not_grow_for_ever(tmp_path: Path):
    """Only so much of the past is kept."""
    folder = RecordFolder(str(tmp_path), "node")
    for number in range(3_000):
        folder.save("node", NodeRecord(images={"app:1": float(number)}, boot_id="b" * 36))
    assert folder.load(NodeRecord) == [NodeRecord(images={"app:1": 2_999.0}, boot_id="b" * 36)]
    assert (tmp_path / "node" / "node.json").stat().st_size < 70_000
