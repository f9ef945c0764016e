"""From a component's description to a running process: fork, move in, become it."""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from kubarium.core.components import Component
from kubarium.core.network import node_namespace
from kubarium.host.network import enter

_OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # that the supervisor handles
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # prctl.h


def launch(
    component: Component,
    *,
    cluster: str,
    log: Path | None,
    inherited: list[int],
    falls_with_us: bool = False,
) -> int:
    """Start a component and return its pid.

    Its output goes to the end of `log`, without one to where ours goes. The descriptors in `inherited` are closed in it. Where it falls with us, the
    kernel kills it in the moment in which this process ends.

    Raises:
        OSError: no process can be forked, or a folder cannot be made.
    """
    for folder in component.folders:
        Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # the disk of the log may be full
        sys.stdout.flush()
        sys.stderr.flush()
    parent = os.getpid()
    # What is sent to it before it has settled waits: until then it has our handlers, and our wakeup descriptor.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
    try:
        pid = os.fork()
        if pid:
            return pid
    finally:
        if os.getpid() == parent:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    code = 70  # EX_SOFTWARE of sysexits.h, where the launch itself fails
    try:
        if falls_with_us:
            _fall_with(parent)
        _settle(component, cluster, log, inherited)
        code = _become(component)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - the last frame of a process: nobody above could handle it
        with suppress(OSError):
            traceback.print_exc()
    finally:
        with suppress(OSError):  # a log on a full disk must not let this copy of the supervisor live
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _fall_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we could say so
        os._exit(0)


def _settle(component: Component, cluster: str, log: Path | None, inherited: list[int]) -> None:
    os.setsid()
    for number in (*_OURS, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
    for descriptor in inherited:
        os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if log is not None:
        output = _opened(log)
        for target in (1, 2):
            os.dup2(output, target)
        os.close(output)
    ctypes.CDLL(None).prctl(_PR_SET_NAME, component.name.encode()[:15], 0, 0, 0)
    if component.node:
        enter(node_namespace(cluster, component.node))


def _opened(log: Path) -> int:
    """Open a log, or where that is impossible (a full disk) nothing: the component is worth more than its words."""
    try:
        return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _become(component: Component) -> int:
    if component.external:
        os.execvp(component.program, [component.program, *component.arguments])  # noqa: S606 - no shell is wanted
    sys.argv = [component.program, *component.arguments]
    gc.disable()  # what is imported here, if anything, stays
    module = importlib.import_module(f"{component.program}.__main__")
    gc.enable()
    code: int = module.main(component.arguments)
    return code
