"""Signals to all that a command has started, with real processes."""

from __future__ import annotations

import signal
import subprocess

from dockershim.exec_session import is_alive, signal_session
from tests.support.kubectl import eventually

ANY = ""  # container: each process's cgroups have it in their names


def test_what_is_forked_while_a_command_is_killed_is_killed_too():
    """Its number is not known yet when the first ones are killed."""
    script = "n=0; while [ $n -lt 400 ]; do sleep 4719 & n=$((n+1)); [ $n -eq 5 ] && echo begun; done; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == b"begun\n"
        signal_session(shell.pid, ANY, signal.SIGKILL)
        try:
            shell.wait(60)
            eventually(lambda: not sleepers(shell.pid), what="the end of all of them")
        finally:
            subprocess.run(["kill", "-KILL", *sleepers(shell.pid)], check=False, capture_output=True)
    assert not is_alive(shell.pid, ANY)


def sleepers(session: int) -> list[str]:
    """List the processes of a session."""
    found = subprocess.run(
        ["ps", "-o", "pid=", "-s", str(session)], capture_output=True, text=True, check=False
    )
    return found.stdout.split()
