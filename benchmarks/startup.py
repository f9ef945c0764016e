"""From the command `kubarium up` to an answering API, to three Ready nodes, to the first running container."""

from __future__ import annotations

import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import kubarium
from benchmarks.clusters import run_pods, with_api
from kubarium import Cluster
from tests.support.images import build_all

ROUNDS = 5


def measure() -> dict[str, Any]:
    """Start five clusters from nothing, as a user does; report medians in wall seconds.

    Raises:
        RuntimeError: `kubarium up` fails.
    """
    build_all()  # stand-ins for the images, where they are not there
    rounds = [_round() for _ in range(ROUNDS)]
    figures: dict[str, Any] = {
        name: {
            "median_s": round(statistics.median(one[name] for one in rounds), 2),
            "all_s": [one[name] for one in rounds],
        }
        for name in rounds[0]
    }
    return {**figures, "with_bytecode": _has_bytecode()}


def _round() -> dict[str, float]:
    home = Path(tempfile.mkdtemp(prefix="kb-", dir="/tmp"))
    handle = Cluster("bench", home=home)
    try:
        marks, began = _up(home)
        with_api(handle, lambda api: run_pods(api, ["first"], on_ready=lambda: _mark(marks, began)))
    finally:
        handle.down()
        shutil.rmtree(home, ignore_errors=True)
    return marks


def _up(home: Path) -> tuple[dict[str, float], float]:
    """Run the command, and note when it says what."""
    command = [
        sys.executable,
        "-m",
        "kubarium",
        "up",
        "--name",
        "bench",
        "--nodes",
        "3",
        "--runtime",
        "docker",
    ]
    environment = {**os.environ, "KUBARIUM_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    marks: dict[str, float] = {}
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout or ():
            for text, mark in (
                ("apiserver answers", "api_answering"),
                ("is Ready", "nodes_ready"),
                ("DNS answers", "dns_answering"),
            ):
                if text in line:
                    marks[mark] = round(time.monotonic() - began, 2)
    if process.returncode:
        raise RuntimeError(f"`kubarium up` ended with {process.returncode}")
    return marks, began


def _mark(marks: dict[str, float], began: float) -> None:
    marks["first_container"] = round(time.monotonic() - began, 2)


def _has_bytecode() -> bool:
    """Whether imports are as fast as where Python may write what it has compiled."""
    return Path(importlib.util.cache_from_source(str(kubarium.__file__))).exists()
