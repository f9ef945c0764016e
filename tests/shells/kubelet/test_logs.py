"""Reading and following log files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kubelet import log_news
from kubelet.core.log_lines import LogWishes
from kubelet.logs import LONGEST_LINE, LogRange, read_log, tail_offset
from machinery.process.file_watch import FileWatch
from tests.support.waiting import stays, until

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


async def test_a_line_without_end_fills_no_memory(tmp_path: Path):
    """It is read in pieces, of which the first is shown; the line behind it is shown whole."""
    path = tmp_path / "0.log"
    path.write_text(_line("x" * (5 * LONGEST_LINE // 2)) + _line("b"))
    assert await _all(path) == b"x" * (LONGEST_LINE - len(_line("")) + 1) + b"\nb\n"


@pytest.mark.parametrize("lines", [0, 1, 2, 999, 1000, 5000])
def test_the_tail_of_a_large_file_is_found_from_its_end(tmp_path: Path, lines: int):
    """Over many blocks, with lines of any length."""
    path = tmp_path / "big"
    content = [f"{number} {'x' * (number % 700)}\n" for number in range(1000)]
    path.write_text("".join(content))
    with path.open("rb") as file:
        file.seek(tail_offset(file, lines))
        assert file.read().decode() == "".join(content[len(content) - min(lines, 1000) :])


def _no_watch_left(_folder: Path) -> FileWatch:
    raise OSError(24, "Too many open files")


@pytest.fixture(params=["told by the kernel", "a silent file system", "no watch left"])
def _news(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever tells a follower that there is something new: each way alone, the others too slow to help."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    look_s, watch = {
        "told by the kernel": (60.0, FileWatch),
        "a silent file system": (0.05, lambda _: FileWatch(elsewhere)),
        "no watch left": (60.0, _no_watch_left),
    }[request.param]
    monkeypatch.setattr(log_news, "_LOOK_S", look_s)
    monkeypatch.setattr(log_news, "FileWatch", watch)


class _Follower:
    """Follows a log; the container runs until the test says otherwise."""

    def __init__(self, path: Path) -> None:
        self.running = True
        self.got = b""
        self.task = asyncio.ensure_future(self._follow(path))

    async def _follow(self, path: Path) -> None:
        async for chunk in read_log(path, LogWishes(), LogRange(follow=True), lambda: self.running):
            self.got += chunk

    async def shows(self, expected: bytes) -> None:
        """Wait until this is what was shown, well before the slow way would; nothing else comes after it."""
        async with asyncio.timeout(40):
            while len(self.got) < len(expected):
                await asyncio.sleep(0.01)
        await stays(lambda: self.got == expected, for_s=0.15)

    async def ends_with(self, expected: bytes) -> None:
        """End the container; wait until the follower has seen it."""
        self.running = False
        await asyncio.wait_for(self.task, 60)
        assert self.got == expected


@pytest.mark.usefixtures("_news")
async def test_following_ends_when_the_container_has_ended(tmp_path: Path):
    """What was written before the end is read; a line in the middle of being written waits."""
    path = tmp_path / "0.log"
    follower = _Follower(path)
    await stays(lambda: not follower.task.done() and not follower.got, for_s=0.1)  # there is no file yet
    with path.open("a") as file:
        file.write(_line("a") + _line("b")[:-5])
        file.flush()
        await follower.shows(b"a\n")
        file.write(_line("b")[-5:])
        file.flush()
        await follower.shows(b"a\nb\n")
        file.write(_line("last"))
    await follower.ends_with(b"a\nb\nlast\n")


@pytest.mark.usefixtures("_news")
async def test_the_end_of_a_container_may_be_known_long_after_its_log_was_closed(tmp_path: Path):
    """The runtime closes the file, then it tells of the end; nothing happens to the file in between."""
    path = tmp_path / "0.log"
    path.write_text(_line("a"))
    follower = _Follower(path)
    await follower.shows(b"a\n")
    with path.open("a") as file:
        file.write(_line("last"))
    await stays(lambda: not follower.task.done(), for_s=0.5)
    await follower.ends_with(b"a\nlast\n")


@pytest.mark.usefixtures("_news")
async def test_a_log_that_never_comes_is_followed_to_the_end_of_its_container(tmp_path: Path):
    """Its next attempt writes to a file of its own, which is not shown."""
    follower = _Follower(tmp_path / "0.log")
    await stays(lambda: not follower.task.done(), for_s=0.1)
    (tmp_path / "1.log").write_text(_line("another"))
    await follower.ends_with(b"")


@pytest.mark.usefixtures("_news")
async def test_a_follower_loses_nothing_when_the_log_is_rotated(tmp_path: Path):
    """It reads the old file to its end, then the new one from its beginning, each time."""
    path = tmp_path / "0.log"
    path.write_text(_line("old"))
    follower = _Follower(path)
    await follower.shows(b"old\n")
    writer = path.open("a")
    for number in range(3):
        path.rename(tmp_path / f"0.log.{number}")
        writer.write(_line(f"late {number}"))  # the runtime still writes to the renamed file
        writer.flush()
        newer = path.open("a")
        newer.write(_line(f"new {number}"))
        newer.flush()
        writer.close()
        writer = newer
        expected = "old\n" + "".join(f"late {each}\nnew {each}\n" for each in range(number + 1))
        await follower.shows(expected.encode())
    writer.close()
    await follower.ends_with(expected.encode())


async def test_a_slow_follower_whose_file_is_rotated_twice_misses_nothing(tmp_path: Path):
    """The file that it reads is compressed by then: the one before the newest comes next."""
    path = tmp_path / "0.log"
    path.write_text(_line("first"))
    chunks = read_log(path, LogWishes(), LogRange(follow=True), lambda: False)
    got = await anext(chunks)  # and now its client is slow
    path.rename(tmp_path / "0.log.20260501-120000.gz")  # packed, for all that its name says
    (tmp_path / "0.log.20260501-120010").write_text(_line("second"))
    path.write_text(_line("third"))
    got += b"".join([chunk async for chunk in chunks])
    assert got == b"first\nsecond\nthird\n"


@pytest.mark.usefixtures("_news")
async def test_a_torn_line_that_its_next_writer_drops_is_not_shown(tmp_path: Path):
    """A runtime that was killed in the middle of a line cuts it off when it is back (dockershim does)."""
    path = tmp_path / "0.log"
    path.write_text(_line("a") + _line("torn by a kill")[:-6])
    follower = _Follower(path)
    await follower.shows(b"a\n")
    with path.open("r+") as file:
        file.truncate(len(_line("a")))
    with path.open("a") as file:
        file.write(_line("b") + _line("c"))
    await follower.shows(b"a\nb\nc\n")
    await follower.ends_with(b"a\nb\nc\n")


async def test_a_quiet_log_is_looked_at_once_a_second_and_a_new_line_shown_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Neither costs what looking for it all the time would."""
    path, looks = tmp_path / "0.log", 0
    path.touch()

    def is_running() -> bool:
        nonlocal looks
        looks += 1
        return True

    chunks = read_log(path, LogWishes(), LogRange(follow=True), is_running)
    waiting = asyncio.ensure_future(anext(chunks))
    await stays(lambda: looks <= 4, for_s=2.3)  # to open it, to read it, and two more
    seen = looks
    monkeypatch.setattr(log_news, "_LOOK_S", 600.0)
    await until(lambda: looks > seen)  # the next look is later than any line
    with path.open("a") as file:
        file.write(_line("a"))
    assert await asyncio.wait_for(waiting, 60) == b"a\n"
    await chunks.aclose()  # type: ignore[attr-defined]  # a generator
