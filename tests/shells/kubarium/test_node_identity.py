"""A node's ids, in files on its disk."""

from __future__ import annotations

from pathlib import Path

from kubarium.identity.node_identity import NodeIdentity


def _ids(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text().strip() for name in ("machine-id", "system-uuid", "boot-id")}


def test_a_node_has_ids_of_its_own_that_last(tmp_path: Path):
    """A supervisor that comes back finds the same ones; another node has others, and none are the machine's."""
    NodeIdentity(tmp_path / "one").ensure()
    NodeIdentity(tmp_path / "two").ensure()
    one, two = _ids(tmp_path / "one"), _ids(tmp_path / "two")
    NodeIdentity(tmp_path / "one").ensure()
    assert _ids(tmp_path / "one") == one
    assert not set(one.values()) & set(two.values())
    assert one["boot-id"] != Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert len(one["machine-id"]) == 32


def test_a_new_start_changes_the_boot_id_alone(tmp_path: Path):
    """Each start has another one."""
    identity, seen = NodeIdentity(tmp_path), set()
    identity.ensure()
    first = _ids(tmp_path)
    for _ in range(3):
        identity.start_anew()
        now = _ids(tmp_path)
        seen.add(now["boot-id"])
        assert {**now, "boot-id": ""} == {**first, "boot-id": ""}
    assert len({first["boot-id"], *seen}) == 4
