"""Runs transcripts of kubectl against a cluster: each page in a folder and a namespace of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.support.kubectl import find_kubectl, own_namespace
from tests.support.transcripts import Command, File, Step, compare, parse

Judge: TypeAlias = Callable[
    [Command, str, int], str
]  # says how what was printed, and the exit code, are other than expected

_COMMAND_S = 240.0  # longer than the 180 s that pages give what they wait for
_REPEAT_S = 180.0
_AGAIN_S = 0.2
_AT_ONCE = 6  # most of them wait for the cluster; more would only make each other late
# What is said of a page that goes wrong, beside what was printed.
_LOOK = "kubectl get pods -o wide; kubectl get events --sort-by=.metadata.creationTimestamp | tail -n 25"
# What a command has started ends with it, however it ends.
_PROLOGUE = "trap 'jobs -p | xargs -r kill 2>/dev/null' EXIT\n"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page's commands run: folder, namespace, environment."""

    folder: Path
    namespace: str
    environment: dict[str, str]


class Transcripts:
    """Pages that have been begun side by side, in an environment with more in it; `finish` waits for one of them."""

    def __init__(self, kubeconfig: Path, pages: list[Path], folder: Path, **environment: str) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._running: dict[Path, Future[str]] = {
            page: self._pool.submit(_run, page, kubeconfig, folder, environment) for page in pages
        }

    def finish(self, page: Path) -> None:
        """Wait for the end of a page.

        Raises:
            AssertionError: commands did not do what the page says; all of them are named.
        """
        if problem := self._running[page].result():
            raise AssertionError(problem)

    def close(self) -> None:
        """Wait for the pages that are under way; the others do not begin any more."""
        self._pool.shutdown(cancel_futures=True)


def _run(page: Path, kubeconfig: Path, folder: Path, environment: dict[str, str]) -> str:
    with own_namespace(kubeconfig, page.stem):
        place = prepare(page.stem, kubeconfig, folder, environment)
        differences = [carry_out(step, place) for step in parse(page.read_text())]
    return "\n\n".join(f"{page.name}:{each}" for each in differences if each)


def carry_out(step: Step, place: Place, judge: Judge = compare) -> str:
    """Write a file or run a command; return what is different from what the page says."""
    match step:
        case File(name, text):
            target = place.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            return ""
        case Command(line=line, script=script):
            difference = _difference(step, place, judge)
            return difference and f"{line}: {script}\n{difference}\n{execute(_LOOK, place)[0]}"


def prepare(name: str, kubeconfig: Path, folder: Path, environment: dict[str, str]) -> Place:
    """Make a page's folder, with a kubeconfig whose current context is in the page's namespace."""
    home = folder / name
    home.mkdir()
    (home / "kubeconfig").write_text(yaml.safe_dump(_within(yaml.safe_load(kubeconfig.read_text()), name)))
    programs, passing = folder / f"{name}.bin", folder / f"{name}.tmp"
    programs.mkdir()
    passing.mkdir()
    (programs / "kubectl").symlink_to(Path(find_kubectl() or "kubectl"))
    return Place(
        home,
        name,
        {
            **environment,
            "PATH": f"{programs}{os.pathsep}{environment.get('PATH', os.environ['PATH'])}",
            "HOME": str(home),
            "TMPDIR": str(passing),
            "LANG": "C.UTF-8",
            "KUBECONFIG": str(home / "kubeconfig"),
            "KUBECACHEDIR": str(folder / "cache"),
            "NS": name,
        },
    )


def _within(config: dict[str, Any], namespace: str) -> dict[str, Any]:
    current = next(each for each in config["contexts"] if each["name"] == config["current-context"])
    current["context"]["namespace"] = namespace
    return config


def _difference(command: Command, place: Place, judge: Judge) -> str:
    deadline = time.monotonic() + _REPEAT_S
    while True:
        difference = judge(command, *execute(command.script, place))
        if not difference or not command.repeat or time.monotonic() > deadline:
            return difference
        time.sleep(_AGAIN_S)


def execute(script: str, place: Place) -> tuple[str, int]:
    """Run a command; return what it printed to both its outputs, in its order, and its exit code."""
    process = subprocess.Popen(
        ["bash", "-c", _PROLOGUE + script],
        cwd=place.folder,
        env=place.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=_COMMAND_S)[0], process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed = process.communicate()[0]
        return f"{printed}\nthe command did not end within {_COMMAND_S:g} s", 124
