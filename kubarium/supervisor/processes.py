"""The table of a cluster's processes: launched, watched by pidfd, recorded on disk.

The record (pids.json) lets a new supervisor adopt what a killed one left running: components never notice
that their supervisor died.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil

from kubarium.core.components import Component
from kubarium.core.layout import Layout
from kubarium.core.supervision import (
    Supervised,
    became_ready,
    due,
    exited,
    started,
    stopped_by_user,
    wanted_by_user,
)
from kubarium.supervisor.child import launch
from machinery.process.clock import WALL


class Processes:
    """Every component of one cluster and the process that it is now."""

    def __init__(
        self,
        cluster: str,
        layout: Layout[Path],
        selector: selectors.BaseSelector,
        *,
        notify_socket: Path,
        inherited: Callable[[], list[int]],
    ) -> None:
        self.table: dict[str, Supervised] = {}
        self.loaded: set[str] = set()  # the programs that are imported, so that they can be forked
        self.fall_with_us = (
            False  # whether the kernel kills them when the supervisor ends: a machine without power
        )
        self.has_logs = True  # whether each has a log of its own; else what they say goes where ours goes
        self._cluster = cluster
        self._layout = layout
        self._selector = selector
        self._notify_socket = notify_socket
        self._inherited = inherited  # our descriptors, to be closed in a child
        self._pidfds: dict[str, int] = {}
        self._created: dict[int, float] = {}  # of those in the record, by pid: when each was
        self._asked: dict[str, str] = {}  # why the user ended it, by component

    def add(self, components: Iterable[Component]) -> None:
        """Add components to the table; one of a known name gets the new description at its next start."""
        for component in components:
            known = self.table.get(component.name)
            self.table[component.name] = (
                Supervised(component) if known is None else replace_component(known, component)
            )

    def remove(self, name: str) -> None:
        """Remove a component that is down from the table."""
        del self.table[name]
        self._record()

    def adopt(self) -> list[str]:
        """Adopt the processes of an earlier supervisor that still run; return their names."""
        adopted = []
        for name, (pid, created) in self._recorded().items():
            if name in self.table and _is_same(pid, created):
                self._watch(name, pid)
                self.table[name] = became_ready(started(self.table[name], pid, WALL.monotonic_wall()))
                self.note_paused(name, paused=psutil.Process(pid).status() == psutil.STATUS_STOPPED)
                adopted.append(name)
        return adopted

    def start_due(self, most: int = sys.maxsize) -> int:
        """Start what is to be started now, or so many of it; return how many were tried."""
        ready = [each for each in due(self.table, WALL.monotonic_wall()) if self._is_loaded(each)][:most]
        for process in ready:
            log = self._layout.log(process.name) if self.has_logs else None
            component = with_notify(process.component, self._notify_socket)
            try:
                pid = launch(
                    component,
                    cluster=self._cluster,
                    log=log,
                    inherited=[*self._inherited(), *self._pidfds.values()],
                    falls_with_us=self.fall_with_us,
                )
            except OSError as error:  # a full disk, no process left: tried again after a while
                self._note_unstarted(process, f"could not be started: {error}")
                continue
            self._watch(process.name, pid)
            self._created.pop(pid, None)  # of an earlier process with this number
            self.table[process.name] = started(process, pid, WALL.monotonic_wall())
            self._record()
        return len(ready)

    def _is_loaded(self, process: Supervised) -> bool:
        return process.component.external or process.component.program in self.loaded

    def note_ready(self, pid: int) -> None:
        """Note that the process of this pid is ready; anyone else's word is ignored."""
        for name, process in self.table.items():
            if process.pid == pid:
                self.table[name] = became_ready(process)

    def note_exit(self, name: str) -> None:
        """Reap a process whose pidfd became readable."""
        process = self.table[name]
        descriptor = self._pidfds.pop(name)
        self._selector.unregister(descriptor)
        os.close(descriptor)
        reaped = _reap(process.pid)
        how = self._asked.pop(name, "") or reaped
        self.table[name] = exited(process, how, WALL.monotonic_wall())
        self._record()

    def send(self, name: str, number: signal.Signals, *, group: bool = False) -> bool:
        """Send a signal to a component's recorded pid, or with `group` to what it has started as well.

        Return False where none runs.
        """
        descriptor = self._pidfds.get(name)
        if descriptor is None:
            return False
        signal.pidfd_send_signal(descriptor, number)
        if group:
            with suppress(ProcessLookupError):  # it has not made its group yet, or has ended
                os.killpg(self.table[name].pid, number)
        return True

    def note_paused(self, name: str, *, paused: bool) -> None:
        """Note that a component's process was frozen, or goes on."""
        self.table[name] = replace(self.table[name], paused=paused)

    def stop(self, name: str, number: signal.Signals, why: str) -> None:
        """End a component because the user wants it down."""
        process = self.table[name]
        self.table[name] = stopped_by_user(process)
        if process.pid:
            self._asked[name] = why
            self.send(name, number)
            if process.paused or number is not signal.SIGKILL:
                self.send(name, signal.SIGCONT)

    def want(self, name: str) -> None:
        """Start a component because the user wants it up."""
        self.table[name] = wanted_by_user(self.table[name])

    def running(self, names: Iterable[str]) -> list[str]:
        """List those that have a process."""
        return [name for name in names if self.table[name].pid]

    def _watch(self, name: str, pid: int) -> None:
        descriptor = os.pidfd_open(pid)
        self._pidfds[name] = descriptor
        self._selector.register(descriptor, selectors.EVENT_READ, ("exit", name))

    def _note_unstarted(self, process: Supervised, why: str) -> None:
        now_s = WALL.monotonic_wall()
        self.table[process.name] = exited(started(process, 0, now_s), why, now_s)

    def _record(self) -> None:
        """Write the record; where the disk is full the one before stays, until the next change."""
        alive = {
            process.name: (process.pid, self._created_of(process.pid))
            for process in self.table.values()
            if process.pid
        }
        self._created = dict(alive.values())
        fresh = self._layout.pids.with_suffix(".new")
        with suppress(OSError):
            fresh.write_text(json.dumps(alive))
            fresh.replace(self._layout.pids)

    def _created_of(self, pid: int) -> float:
        return self._created.get(pid) or _created(pid)

    def _recorded(self) -> dict[str, tuple[int, float]]:
        try:
            return msgspec.json.decode(self._layout.pids.read_bytes(), type=dict[str, tuple[int, float]])
        except (OSError, msgspec.DecodeError):
            return {}


def replace_component(process: Supervised, component: Component) -> Supervised:
    """Return a process with another description, which counts from its next start."""
    return replace(process, component=component)


def with_notify(component: Component, notify_socket: Path) -> Component:
    """Return a component with the flag that says where to report that it is ready; not for others' programs."""
    if component.external:
        return component
    flags = {**component.flags, "notify-socket": str(notify_socket)}
    return replace(component, flags=flags)


def _reap(pid: int) -> str:
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return "ended (it was adopted, so its exit code is unknown)"
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exited with code {os.waitstatus_to_exitcode(status)}"


def _created(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _is_same(pid: int, created: float) -> bool:
    return created > 0 and abs(_created(pid) - created) < 0.05
