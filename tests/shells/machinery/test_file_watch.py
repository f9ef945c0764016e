"""News of files, from the kernel."""

from __future__ import annotations

import select
from pathlib import Path

import pytest

from machinery.process.file_watch import FileWatch


def _has_news(watch: FileWatch) -> bool:
    return bool(select.select([watch], [], [], 0)[0])


def test_what_happens_in_the_folder_is_told_until_it_is_taken(tmp_path: Path):
    """A new file, a write, a new name; nothing in other folders, and no reading."""
    (tmp_path / "other").mkdir()
    with FileWatch(tmp_path) as watch:
        assert not _has_news(watch)
        with (tmp_path / "a").open("w") as file:
            assert _has_news(watch)
            assert not watch.take()
            file.write("x")
            file.flush()
            assert (_has_news(watch), watch.take(), _has_news(watch)) == (True, False, False)
        watch.take()
        (tmp_path / "a").rename(tmp_path / "b")
        assert (_has_news(watch), watch.take()) == (True, False)
        (tmp_path / "b").read_text()
        (tmp_path / "other" / "c").touch()
        assert not _has_news(watch)


def test_a_closed_file_is_told_whatever_happened_besides(tmp_path: Path):
    """Long names and many events in one piece of news."""
    with FileWatch(tmp_path) as watch, (tmp_path / "open").open("w", buffering=1) as file:
        for number in range(200):
            (tmp_path / f"{number:0255}").touch()
        file.write("last\n")
        assert watch.take()
        assert not watch.take()


def test_a_folder_that_goes_ends_the_news(tmp_path: Path):
    """Whoever waits is woken once, and then looks by itself."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with FileWatch(folder) as watch:
        folder.rmdir()
        assert (_has_news(watch), watch.take(), _has_news(watch)) == (True, False, False)


def test_one_file_is_watched_without_its_neighbours(tmp_path: Path):
    """Under whatever name it has."""
    path = tmp_path / "a"
    path.touch()
    with FileWatch(path) as watch:
        (tmp_path / "b").write_text("x")
        assert not _has_news(watch)
        path.rename(tmp_path / "c").write_text("x")
        assert (_has_news(watch), watch.take()) == (True, True)


def test_what_is_not_there_cannot_be_watched(tmp_path: Path):
    """It is named, and nothing stays open."""
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(FileNotFoundError, match=r"missing'$"):
        FileWatch(tmp_path / "missing")
    assert set(Path("/proc/self/fd").iterdir()) == before
