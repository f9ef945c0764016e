"""`make test` runs the tests in two runs at a time (scripts/test); here with a program in pytest's place."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.waiting import until

ROOT = Path(__file__).parents[3]

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start the script, whose runs do what a shell script says: it is told which one it is, and what it was called with."""

    def begin(body: str) -> subprocess.Popen[str]:
        for folder in ("scripts", ".venv/bin"):
            (tmp_path / folder).mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "test", tmp_path / "scripts")
        program = tmp_path / ".venv" / "bin" / "python"
        which = 'case "$*" in *tests/unit*) run=others ;; *) run=clusters ;; esac'
        program.write_text(f"#!/bin/bash\n{which}\n{body}\n")
        program.chmod(0o755)
        command = [str(tmp_path / "scripts" / "test")]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return begin


@pytest.mark.parametrize(("clusters", "others", "code"), [(0, 0, 0), (1, 0, 1), (0, 2, 2), (5, 1, 1)])
def test_it_fails_where_one_of_them_does(start: Start, clusters: int, others: int, code: int):
    """Both are told of, one after the other, whatever becomes of them."""
    with start(f'echo "$run says"; [[ $run == others ]] && exit {others}; exit {clusters}') as script:
        said, _ = script.communicate(timeout=30)
    assert (said.split("\n"), script.returncode) == (["clusters says", "others says", ""], code)


async def test_both_are_told_to_end(start: Start, tmp_path: Path):
    """And waited for, since what they have made goes with them."""
    begun = tmp_path / "begun"
    begun.touch()
    waiting = f"trap 'kill $!; echo $run has ended; exit 2' TERM; sleep 60 & echo $run >>{begun}; wait"
    with start(waiting) as script:
        await until(lambda: sorted(begun.read_text().split()) == ["clusters", "others"])
        script.send_signal(signal.SIGTERM)
        said, _ = script.communicate(timeout=30)
    assert (said.split("\n"), script.returncode) == (["clusters has ended", "others has ended", ""], 2)


def test_each_test_is_in_one_of_the_two():
    """A new suite has to be in one; none is run twice."""
    said = (ROOT / "scripts" / "test").read_text()
    runs = [
        re.findall(r"\S+", words)
        for words in re.findall(r"^(?:clusters|others)=\((.*)\)$", said, re.MULTILINE)
    ]
    files = [
        path
        for words in runs
        for word in words
        if not word.startswith("--ignore=")
        for path in ([ROOT / word] if word.endswith(".py") else (ROOT / word).rglob("test_*.py"))
        if f"--ignore={path.relative_to(ROOT)}" not in words
    ]
    assert len(runs) == 2
    assert sorted(files) == sorted((ROOT / "tests").rglob("test_*.py"))
