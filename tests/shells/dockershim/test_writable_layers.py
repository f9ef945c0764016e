"""How what a container has written is measured, without an engine: by its folder, or by the engine's own word."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from dockershim.core.states import Details
from dockershim.docker import Engine
from dockershim.writable_layers import WritableLayers
from tests.support.virtual_clock import VirtualClock


class _Engine:
    """Answers how much containers have written, and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def layer_bytes(self, container_id: str) -> int:
        self.asked.append(container_id)
        return 1000 * len(self.asked)


def _details(folder: str) -> Details:
    driver: dict[str, Any] = {"Name": "overlay2", "Data": {"UpperDir": folder}} if folder else {"Name": "vfs"}
    return Details({"Id": f"c{folder}", "GraphDriver": driver})


async def test_a_folder_that_is_there_is_walked_and_not_again_at_once(tmp_path: Path):
    """Blocks and inodes; five seconds later it is another look. What is gone is forgotten."""
    clock, engine = VirtualClock(), _Engine()
    layers = WritableLayers(cast("Engine", engine), clock)
    details = _details(str(tmp_path))
    first = await layers.usage(details)
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    assert await layers.usage(details) == first
    await clock.advance(5.0)
    second = await layers.usage(details)
    assert second.used_bytes.value - first.used_bytes.value >= 100_000
    assert second.inodes_used.value == first.inodes_used.value + 1
    (tmp_path / "more").touch()
    layers.forget(details.id)
    assert (await layers.usage(details)).inodes_used.value == second.inodes_used.value + 1
    assert engine.asked == []


async def test_the_engine_measures_what_cannot_be_seen_from_here(tmp_path: Path):
    """As from a node that is a container itself, or with a storage driver that has no such folder; inodes are not known."""
    engine = _Engine()
    layers = WritableLayers(cast("Engine", engine), VirtualClock())
    for folder in (str(tmp_path / "elsewhere"), ""):
        usage = await layers.usage(_details(folder))
        assert (usage.used_bytes.value, usage.HasField("inodes_used")) == (1000 * len(engine.asked), False)
    assert engine.asked == [f"c{tmp_path / 'elsewhere'}", "c"]
