"""A test run that is ended takes with it what it has made."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import docker
import psutil
import pytest

from tests.support.kubectl import eventually
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

ROOT = Path(__file__).resolve().parents[2]
TEST = "tests/system/test_machines.py"
CLUSTER = "machines"  # as that test calls it


def _namespaces() -> list[str]:
    folder = Path("/run/netns")
    return [path.name for path in folder.glob(f"kubarium-{CLUSTER}*")] if folder.is_dir() else []


def _containers() -> list[str]:
    with contextlib.closing(docker.from_env()) as client:
        label = f"kubarium.cluster={CLUSTER}"
        found = client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
        return [str(container.name) for container in found]


def _processes() -> list[int]:
    processes = psutil.process_iter(["pid", "cmdline"])
    return [
        each.info["pid"]
        for each in processes
        if any(word.endswith(f"/{CLUSTER}") for word in each.info["cmdline"] or ())
    ]


def _end(run: subprocess.Popen[str]) -> None:
    """End it so that it can clear up, also when this test itself has failed before that."""
    if run.poll() is None:
        run.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.communicate(timeout=120)
    run.kill()


@pytest.mark.parametrize(
    ("number", "has_begun"),
    [(signal.SIGTERM, _namespaces), (signal.SIGINT, _containers)],
    ids=["term-while-it-starts", "ctrl-c"],
)
def test_a_run_that_is_ended_leaves_nothing(
    images: None, number: signal.Signals, has_begun: Callable[[], list[str]]
):
    """Neither processes nor containers nor namespaces, however far it was."""
    need("etcd", "docker", "cni", "kubectl")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        try:
            deadline = time.monotonic() + 150
            while not has_begun() and run.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            assert run.poll() is None
            run.send_signal(number)
            said, _ = run.communicate(timeout=120)
        finally:
            _end(run)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, said
    eventually(lambda: not _processes(), what="no process left")
    assert (_namespaces(), _containers()) == ([], []), said
