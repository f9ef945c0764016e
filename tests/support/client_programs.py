"""Programs of users: how a test starts them, and what environment they find."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from tests.support.kubectl import Kubectl

Run: TypeAlias = Callable[..., str]


def user_environment(kubectl: Kubectl, home: Path) -> dict[str, str]:
    """Return the environment of a user who works in this namespace, and keeps things in this folder."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "KUBECONFIG": str(kubectl.kubeconfig),
        "NAMESPACE": kubectl.namespace,
    }


def run_program(command: list[str], environment: dict[str, str], folder: Path, timeout_s: float) -> str:
    """Run a program to its end, which has to be a good one. Return what it printed."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        said = b"".join(each for each in (error.stdout, error.stderr) if each).decode(errors="replace")
        raise AssertionError(f"{' '.join(command)} did not end within {timeout_s:g} s:\n{said}") from None
    said = f"{done.stdout}{done.stderr}"
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{said}"
    return done.stdout


@contextmanager
def running(
    command: list[str], environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Have a program run that goes on by itself; what it prints is shown where the test fails."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    except BaseException as error:
        error.add_note(f"{' '.join(command)}:\n{log.read_text(errors='replace')[-8000:]}")
        raise
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
