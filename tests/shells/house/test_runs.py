"""`make test` runs the tests in four runs at a time (scripts/test); here with a program in pytest's place."""

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
RUNS = ("clusters", "users", "shells", "others")

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start the script, whose runs do what a shell script says: it is told which one it is, and what it was called with."""

    def begin(body: str) -> subprocess.Popen[str]:
        for folder in ("scripts", ".venv/bin"):
            (tmp_path / folder).mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "test", tmp_path / "scripts")
        program = tmp_path / ".venv" / "bin" / "python"
        which = (
            'case "$*" in *tests/unit*) run=others ;; *tests/hollow*) run=shells ;; *tests/clients*) run=users ;; '
            "*) run=clusters ;; esac"
        )
        program.write_text(f"#!/bin/bash\n{which}\n{body}\n")
        program.chmod(0o755)
        command = [str(tmp_path / "scripts" / "test")]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return begin


@pytest.mark.parametrize(
    ("codes", "code"),
    [((0, 0, 0, 0), 0), ((1, 0, 0, 0), 1), ((0, 3, 0, 0), 3), ((0, 0, 0, 2), 2), ((5, 0, 1, 0), 1)],
)
def test_it_fails_where_one_of_them_does(start: Start, codes: tuple[int, int, int, int], code: int):
    """All are told of, one after the other, whatever becomes of them."""
    ends = "; ".join(f"[[ $run == {run} ]] && exit {each}" for run, each in zip(RUNS, codes, strict=True))
    with start(f'echo "$run says"; {ends}') as script:
        said, _ = script.communicate(timeout=60)
    told = [line for line in said.splitlines() if "once more" not in line]
    again = [f"{run} says" for run, each in zip(RUNS, codes, strict=True) if each == 1]
    assert (told, script.returncode) == ([*(f"{run} says" for run in RUNS), *again], code)


@pytest.mark.parametrize(("second", "code"), [(0, 0), (1, 1), (5, 1)])
def test_what_failed_is_run_once_more(start: Start, second: int, code: int):
    """Only that, of that run, and when the others are done; what fails again, or is not found, has failed."""
    body = f'echo "$run says $*"; [[ $* == *--last-failed* ]] && exit {second}; [[ $run == shells ]] && exit 1; exit 0'
    with start(body) as script:
        said, _ = script.communicate(timeout=60)
    times = {run: said.count(f"{run} says") for run in RUNS}
    assert times == {"clusters": 1, "users": 1, "shells": 2, "others": 1}
    assert said.index("others says") < said.index("shells: once more")
    assert ("FAILED, then PASSED" in said, script.returncode) == (code == 0, code)


async def test_all_are_told_to_end(start: Start, tmp_path: Path):
    """And waited for, since what they have made goes with them."""
    begun = tmp_path / "begun"
    begun.touch()
    waiting = f"trap 'kill $!; echo $run has ended; exit 2' TERM; sleep 60 & echo $run >>{begun}; wait"
    with start(waiting) as script:
        await until(lambda: sorted(begun.read_text().split()) == sorted(RUNS))
        script.send_signal(signal.SIGTERM)
        said, _ = script.communicate(timeout=30)
    assert (said.split("\n"), script.returncode) == ([*(f"{run} has ended" for run in RUNS), ""], 2)


def test_each_test_is_in_one_of_them():
    """A new suite has to be in one; none is run twice."""
    said = (ROOT / "scripts" / "test").read_text()
    runs = [
        re.findall(r"\S+", words)
        for words in re.findall(r"^(?:clusters|users|shells|others)=\((.*)\)$", said, re.MULTILINE)
    ]
    files = [
        path
        for words in runs
        for word in words
        if not word.startswith("--ignore=")
        for path in ([ROOT / word] if word.endswith(".py") else (ROOT / word).rglob("test_*.py"))
        if f"--ignore={path.relative_to(ROOT)}" not in words
    ]
    assert len(runs) == len(RUNS)
    assert sorted(files) == sorted((ROOT / "tests").rglob("test_*.py"))
