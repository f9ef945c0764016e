"""The records of the simulated machine on a real disk: whole after a kill at any moment, and cheap to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from hollow.records import NodeRecord, RecordFile, SandboxRecord


def _sandbox(id_: str = "s1", stopped_s: float | None = None) -> SandboxRecord:
    return SandboxRecord(id_, b"\x0a\n\x00config", "", 1.5, stopped_s=stopped_s)


class _Sandboxes:
    """What there is, and the file that it is kept in."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sandboxes.jsonl"
        self.current: dict[str, SandboxRecord] = {}
        self.file = RecordFile(str(folder), "sandboxes", lambda: self.current)

    def save(self, record: SandboxRecord) -> None:
        self.current[record.id] = record
        self.file.save(record.id, record)

    def remove(self, id_: str) -> None:
        self.current.pop(id_, None)
        self.file.remove(id_)

    def load(self) -> list[SandboxRecord]:
        """Return what the next process finds."""
        return RecordFile(str(self.path.parent), "sandboxes", dict).load(SandboxRecord)


@pytest.fixture
def kept(tmp_path: Path) -> _Sandboxes:
    return _Sandboxes(tmp_path)


def test_the_last_version_is_read(kept: _Sandboxes):
    """Whatever bytes are in it; what is removed is gone, and the others are there in their order."""
    assert kept.load() == []
    for id_ in ("s2", "s1", "s3"):
        kept.save(_sandbox(id_))
    kept.save(_sandbox(stopped_s=2.5))
    kept.remove("s3")
    kept.remove("s3")
    assert kept.load() == [_sandbox("s2"), _sandbox(stopped_s=2.5)]


@pytest.mark.parametrize("cut", range(2, 90))
def test_a_version_that_was_cut_off_is_not_there(kept: _Sandboxes, cut: int):
    """A change leaves the version before, a new record nothing; what is written next is whole again."""
    kept.save(_sandbox())
    first = kept.path.stat().st_size
    kept.save(_sandbox("s2"))
    assert cut < kept.path.stat().st_size - first
    kept.path.write_bytes(kept.path.read_bytes()[:-cut])
    assert kept.load() == [_sandbox()]
    kept.save(_sandbox(stopped_s=2.5))
    whole = kept.path.read_bytes()
    kept.save(_sandbox(stopped_s=3.5))
    kept.path.write_bytes(kept.path.read_bytes()[:-cut])
    assert kept.load() == [_sandbox(stopped_s=2.5)]
    kept.path.write_bytes(whole)
    kept.save(_sandbox("s3"))
    assert kept.load() == [_sandbox(stopped_s=2.5), _sandbox("s3")]


def test_neither_a_change_nor_a_new_record_makes_a_new_file(kept: _Sandboxes, tmp_path: Path):
    """That would be most of what a pod's start costs here."""
    kept.save(_sandbox())
    before = kept.path.stat().st_ino
    kept.save(_sandbox("s2"))
    kept.save(_sandbox(stopped_s=2.5))
    kept.remove("s2")
    assert kept.path.stat().st_ino == before
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_over_does_not_grow_for_ever(kept: _Sandboxes):
    """Only so much of the past is kept, however much there is now."""
    kept.save(_sandbox("stays"))
    for number in range(3_000):
        kept.save(_sandbox(f"s{number}"))
        kept.remove(f"s{number}")
    assert kept.load() == [_sandbox("stays")]
    assert kept.path.stat().st_size < 70_000
    for number in range(3_000):
        kept.save(_sandbox(f"s{number}"))
    now = sum(map(len, kept.path.read_bytes().splitlines()))
    for number in range(3_000):
        kept.save(_sandbox(f"s{number}", stopped_s=2.5))
    assert len(kept.load()) == 3_001
    assert kept.path.stat().st_size < 6 * now


def test_a_kill_while_a_file_is_written_anew_leaves_the_one_before(
    kept: _Sandboxes, monkeypatch: pytest.MonkeyPatch
):
    """And what was written last is in it."""
    monkeypatch.setattr(Path, "replace", _killed)
    with pytest.raises(KeyboardInterrupt):
        _save_many(kept)
    assert kept.load() == list(kept.current.values())


def _save_many(kept: _Sandboxes) -> None:
    for number in range(3_000):
        kept.save(_sandbox(f"s{number}"))


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_changes_for_ever_does_not_grow_for_ever(tmp_path: Path):
    """One record, too."""
    node = NodeRecord()
    file = RecordFile(str(tmp_path), "node", lambda: {"node": node})
    for number in range(3_000):
        node = NodeRecord(images={"app:1": float(number)}, boot_id="b" * 36)
        file.save("node", node)
    assert file.load(NodeRecord) == [NodeRecord(images={"app:1": 2_999.0}, boot_id="b" * 36)]
    assert (tmp_path / "node.jsonl").stat().st_size < 70_000
