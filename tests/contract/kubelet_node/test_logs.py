"""Reading, following and rotating log files."""

# ruff: noqa: ASYNC240 - files are what this is about
from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kubelet.core.log_lines import LoggedContainer, LogWishes
from kubelet.logs import LogRange, LogRotation, read_log, tail_offset
from machinery.model.errors import Unavailable
from tests.support.kubelet_node import ScriptedRuntime
from tests.support.virtual_clock import VirtualClock

STAMP = "2026-01-01T00:00:00.000000001Z"


def _line(text: str, stream: str = "stdout", tag: str = "F") -> str:
    return f"{STAMP} {stream} {tag} {text}\n"


async def _all(path: Path, wishes: LogWishes | None = None, **part: int) -> bytes:
    chunks = [chunk async for chunk in read_log(path, wishes or LogWishes(), LogRange(**part), lambda: False)]
    return b"".join(chunks)


async def test_a_log_is_read(tmp_path: Path):
    """Whole, its last lines, its first bytes, one of its streams."""
    path = tmp_path / "0.log"
    path.write_text(_line("a") + _line("b", "stderr") + _line("c") + "2026 stdout F torn")
    assert await _all(path) == b"a\nb\nc\n"
    assert await _all(path, tail_lines=2) == b"c\n"  # the line that is still being written is one of the two
    assert await _all(path, tail_lines=0) == b""
    assert await _all(path, limit_bytes=3) == b"a\nb"
    assert await _all(path, LogWishes(stream="stderr")) == b"b\n"
    assert await _all(path, LogWishes(timestamps=True), limit_bytes=34) == f"{STAMP} a\n".encode() + b"2"
    assert await _all(tmp_path / "none.log") == b""


@pytest.mark.parametrize("lines", [0, 1, 2, 999, 1000, 5000])
def test_the_tail_of_a_large_file_is_found_from_its_end(tmp_path: Path, lines: int):
    """Over many blocks, with lines of any length."""
    path = tmp_path / "big"
    content = [f"{number} {'x' * (number % 700)}\n" for number in range(1000)]
    path.write_text("".join(content))
    with path.open("rb") as file:
        file.seek(tail_offset(file, lines))
        assert file.read().decode() == "".join(content[len(content) - min(lines, 1000) :])


async def test_following_ends_when_the_container_has_ended(tmp_path: Path):
    """What was written before the end is read; a line in the middle of being written waits."""
    path, running = tmp_path / "0.log", True
    got: list[bytes] = []

    async def follow() -> None:
        async for chunk in read_log(path, LogWishes(), LogRange(follow=True), lambda: running):
            got.append(chunk)  # noqa: PERF401 - each at once

    task = asyncio.ensure_future(follow())
    await asyncio.sleep(0.1)  # there is no file yet
    with path.open("a") as file:
        file.write(_line("a") + _line("b")[:-5])
        file.flush()
        await asyncio.sleep(0.15)
        assert b"".join(got) == b"a\n"
        file.write(_line("b")[-5:])
        file.flush()
        await asyncio.sleep(0.15)
        assert b"".join(got) == b"a\nb\n"
        file.write(_line("last"))
    running = False
    await asyncio.wait_for(task, 2)
    assert b"".join(got) == b"a\nb\nlast\n"


async def test_a_follower_loses_nothing_when_the_log_is_rotated(tmp_path: Path):
    """It reads the old file to its end, then the new one from its beginning."""
    path, running = tmp_path / "0.log", True
    path.write_text(_line("old"))
    got: list[bytes] = []

    async def follow() -> None:
        async for chunk in read_log(path, LogWishes(), LogRange(follow=True), lambda: running):
            got.append(chunk)  # noqa: PERF401 - each at once

    task = asyncio.ensure_future(follow())
    await asyncio.sleep(0.1)
    with path.open("a") as writer:
        path.rename(tmp_path / "0.log.1")
        writer.write(_line("late"))  # the runtime still writes to the renamed file
        writer.flush()
        path.write_text(_line("new"))
    await asyncio.sleep(0.15)
    running = False
    await asyncio.wait_for(task, 2)
    assert b"".join(got) == b"old\nlate\nnew\n"


async def test_full_logs_are_rotated_and_few_are_kept(tmp_path: Path):
    """Five files with the one that is written to; a small log is left alone."""
    runtime, clock, path = ScriptedRuntime(), VirtualClock(), tmp_path / "0.log"
    container = LoggedContainer("c1", 0, running=True, log_path=str(path))
    rotation = LogRotation(runtime, clock, running=lambda: [container], max_bytes=10)
    runtime.on_reopen = lambda _id: path.touch()
    path.write_text("small")
    await rotation.rotate_all()
    assert runtime.reopened == []
    for number in range(7):
        path.write_text(f"{number}" * 20)
        await rotation.rotate_all()
        await clock.advance(1)
    assert len(runtime.reopened) == 7
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 5
    assert [file.read_text()[0] for file in kept[1:]] == ["3", "4", "5", "6"]


async def test_a_log_that_cannot_be_reopened_keeps_its_name(tmp_path: Path):
    """Else its readers would look at a file that nobody writes."""
    runtime, path = ScriptedRuntime(), tmp_path / "0.log"

    def fail(_id: str) -> None:
        raise Unavailable("away")

    runtime.on_reopen = fail
    container = LoggedContainer("c1", 0, running=True, log_path=str(path))
    path.write_text("x" * 20)
    await LogRotation(runtime, VirtualClock(), running=lambda: [container], max_bytes=10).rotate_all()
    assert [file.name for file in tmp_path.iterdir()] == ["0.log"]
