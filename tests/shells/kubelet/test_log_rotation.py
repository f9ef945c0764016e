"""Rotating log files, and removing them."""

from __future__ import annotations

import gzip
from pathlib import Path

from kubelet.core.log_files import LogLimits
from kubelet.core.log_lines import LoggedContainer
from kubelet.log_rotation import LogRotation, remove_log
from machinery.model.errors import Unavailable
from machinery.model.log import SILENT
from tests.support.kubelet_node import ScriptedRuntime
from tests.support.virtual_clock import VirtualClock

LIMITS = LogLimits(max_bytes=10, max_files=5)


class _World:
    """One running container, whose log a runtime writes that opens it again when it is told to."""

    def __init__(self, folder: Path, limits: LogLimits = LIMITS) -> None:
        self.folder, self.path = folder, folder / "0.log"
        self.runtime, self.clock = ScriptedRuntime(), VirtualClock()
        self.runtime.on_reopen = lambda _id: self.path.touch()
        container = LoggedContainer("c1", 0, running=True, log_path=str(self.path))
        self.rotation = LogRotation(
            self.runtime, self.clock, SILENT, running=lambda: [container], limits=limits
        )

    async def fill_and_rotate(self, letter: str) -> None:
        self.path.write_text(letter * 20)
        await self.rotation.rotate_all()

    @property
    def others(self) -> list[str]:
        """The names that the log was rotated to, without what all of them begin with."""
        return [name.removeprefix("0.log.") for name in _names(self.folder) if name != "0.log"]


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def _fails(_id: str) -> None:
    raise Unavailable("away")


async def test_a_full_log_is_renamed_after_the_moment_and_older_ones_are_compressed(tmp_path: Path):
    """Five files with the one that is written to, the newest of the others as it is; a small log is left alone."""
    world = _World(tmp_path)
    world.path.write_text("small")
    await world.rotation.rotate_all()
    assert (world.runtime.reopened, world.others) == ([], [])
    begun = world.clock.timescale.format(world.clock.now())
    for letter in "abcdefg":
        await world.fill_and_rotate(letter)
        await world.clock.advance(60)
    assert world.runtime.reopened == ["c1"] * 7
    assert begun == "2026-01-01T00:00:00Z"
    assert world.others == [
        "20260101-000300.gz",
        "20260101-000400.gz",
        "20260101-000500.gz",
        "20260101-000600",
    ]
    packed = [gzip.decompress((tmp_path / f"0.log.{name}").read_bytes()) for name in world.others[:3]]
    assert packed == [b"d" * 20, b"e" * 20, b"f" * 20]
    assert world.path.read_bytes() == b""


async def test_as_few_files_are_kept_as_is_wished(tmp_path: Path):
    """Two are the least: the one that is written to and the one before it."""
    world = _World(tmp_path, LogLimits(max_bytes=10, max_files=2))
    for letter in "abc":
        await world.fill_and_rotate(letter)
        await world.clock.advance(60)
    assert world.others == ["20260101-000200"]


async def test_a_size_below_zero_rotates_nothing(tmp_path: Path):
    """As containerLogMaxSize has it."""
    world = _World(tmp_path, LogLimits(max_bytes=-1))
    await world.fill_and_rotate("a")
    assert (world.runtime.reopened, world.others) == ([], [])


async def test_what_a_killed_kubelet_left_is_put_in_order(tmp_path: Path):
    """A draft goes, a file that is compressed already goes, and a log that was renamed but not reopened is."""
    world = _World(tmp_path)
    for name in ("20250101-000000", "20250101-000000.gz", "20250101-000100", "20250101-000100.tmp"):
        (tmp_path / f"0.log.{name}").write_text("x")
    await world.rotation.rotate_all()
    assert world.runtime.reopened == ["c1"]
    assert world.path.exists()
    await world.fill_and_rotate("a")
    assert world.others == ["20250101-000000.gz", "20250101-000100.gz", "20260101-000000"]
    assert gzip.decompress((tmp_path / "0.log.20250101-000100.gz").read_bytes()) == b"x"


async def test_two_rotations_within_a_second_lose_nothing(tmp_path: Path):
    """The second one comes with the next look."""
    world = _World(tmp_path)
    await world.fill_and_rotate("a")
    await world.fill_and_rotate("b")
    assert gzip.decompress((tmp_path / "0.log.20260101-000000.gz").read_bytes()) == b"a" * 20
    assert world.path.read_text() == "b" * 20
    await world.clock.advance(1)
    await world.rotation.rotate_all()
    assert world.others == ["20260101-000000.gz", "20260101-000001"]


async def test_a_log_that_cannot_be_reopened_keeps_its_name(tmp_path: Path):
    """Else its readers would look at a file that nobody writes."""
    world = _World(tmp_path)
    world.runtime.on_reopen = _fails
    await world.fill_and_rotate("a")
    assert world.others == []
    assert world.path.read_text() == "a" * 20


async def test_a_log_that_was_reopened_though_the_runtime_said_no_stays(tmp_path: Path):
    """An answer that was lost: both files are kept."""
    world = _World(tmp_path)

    def reopens_and_fails(_id: str) -> None:
        world.path.write_text("new")
        raise Unavailable("away")

    world.runtime.on_reopen = reopens_and_fails
    await world.fill_and_rotate("a")
    assert world.path.read_text() == "new"
    assert world.others == ["20260101-000000"]


async def test_one_log_that_cannot_be_rotated_holds_up_no_other(tmp_path: Path):
    """A runtime that refuses, a folder that is gone, a name that cannot be one, and then a good one."""
    (tmp_path / "good").write_text("a" * 20)
    (tmp_path / "refused").write_text("a" * 20)

    def reopen(container_id: str) -> None:
        if container_id != "good":
            raise Unavailable("away")

    containers = [
        LoggedContainer(name.partition("/")[0], 0, running=True, log_path=str(tmp_path / name))
        for name in ("refused", "gone/0.log", "a\0b", "good")
    ]
    runtime = ScriptedRuntime()
    runtime.on_reopen = reopen
    await LogRotation(runtime, VirtualClock(), running=lambda: containers, limits=LIMITS).rotate_all()
    assert _names(tmp_path) == ["good.20260101-000000", "refused"]


def test_a_containers_log_goes_with_all_that_it_was_rotated_to(tmp_path: Path):
    """Other attempts' files stay; what is gone already is fine."""
    for name in ("0.log", "0.log.20260101-000000", "0.log.20250101-000000.gz", "10.log", "0.logs"):
        (tmp_path / name).touch()
    remove_log(tmp_path / "0.log")
    remove_log(tmp_path / "0.log")
    remove_log(tmp_path / "gone" / "0.log")
    assert _names(tmp_path) == ["0.logs", "10.log"]
