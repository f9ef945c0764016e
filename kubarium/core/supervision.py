"""What the supervisor does about a process, decided without touching one.

A process that died on its own is brought back, as systemd would, after 100 ms doubling to 5 s; one that ran
for a while starts from 100 ms again. A process that the user stopped stays down until the user asks.
Times are wall seconds of a monotonic clock.

                 deps ready                 READY=1
    WAITING ───────────────► STARTING ───────────────► READY
       ▲                        │  died on its own       │
       │     delay over         ▼                        │
       └─────────────────── BACKOFF ◄────────────────────┘
    user's stop: any ──► STOPPED ──► WAITING (user's start)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from kubarium.core.components import Component
from kubarium.core.spec import ETCD

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
STEADY_S = 10.0  # who ran that long has earned the shortest delay again


class Phase(Enum):
    """Where a process is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKOFF = "backoff"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Supervised:
    """One component and what became of it."""

    component: Component
    phase: Phase = Phase.WAITING
    pid: int = 0  # 0 where no process runs
    started_s: float = 0.0
    restarts: int = 0
    delay_s: float = 0.0  # the last delay before a restart
    due_s: float = 0.0  # when BACKOFF is over
    paused: bool = False
    last_exit: str = ""  # in words, for people

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name


def started(process: Supervised, pid: int, now_s: float) -> Supervised:
    """Note a new process."""
    phase = Phase.READY if process.component.external else Phase.STARTING
    return replace(process, phase=phase, pid=pid, started_s=now_s, paused=False)


def became_ready(process: Supervised) -> Supervised:
    """Note that the process said READY=1."""
    return replace(process, phase=Phase.READY) if process.phase is Phase.STARTING else process


def exited(process: Supervised, how: str, now_s: float) -> Supervised:
    """Note that the process is gone, and decide what follows."""
    gone = replace(process, pid=0, paused=False, last_exit=how)
    if process.phase is Phase.STOPPED:
        return gone
    steady = now_s - process.started_s >= STEADY_S
    delay = FIRST_DELAY_S if steady or not process.delay_s else min(process.delay_s * 2, LONGEST_DELAY_S)
    return replace(
        gone,
        phase=Phase.BACKOFF,
        restarts=process.restarts + 1,
        delay_s=delay,
        due_s=now_s + delay,
    )


def stopped_by_user(process: Supervised) -> Supervised:
    """Note that the user wants it down. The process itself may still run."""
    return replace(process, phase=Phase.STOPPED)


def wanted_by_user(process: Supervised) -> Supervised:
    """Note that the user wants it up; nothing changes for one that is."""
    if process.pid and process.phase is not Phase.STOPPED:
        return process
    return replace(process, phase=Phase.WAITING, delay_s=0.0)


def due(processes: dict[str, Supervised], now_s: float) -> list[Supervised]:
    """List what is to be started now. A dependency counts only for the first start."""
    return [
        process for process in processes.values() if not process.pid and _is_due(process, processes, now_s)
    ]


def next_due_s(processes: dict[str, Supervised]) -> float | None:
    """Return when the next delay is over; None where no process waits for a time."""
    times = [process.due_s for process in processes.values() if process.phase is Phase.BACKOFF]
    return min(times, default=None)


def stop_order(processes: Mapping[str, Supervised]) -> list[list[str]]:
    """Return who is stopped together, the first ones first: nobody's server goes before it, so that leases are given back."""
    nodes = [name for name in processes if "@" in name]
    etcd = [name for name, process in processes.items() if process.component.program == ETCD]
    clients = [name for name, process in processes.items() if process.component.after and name not in nodes]
    others = [name for name in processes if name not in {*nodes, *etcd, *clients}]
    return [nodes, clients, others, etcd]


def _is_due(process: Supervised, processes: dict[str, Supervised], now_s: float) -> bool:
    if process.phase is Phase.BACKOFF:
        return now_s >= process.due_s
    if process.phase is not Phase.WAITING:
        return False
    return bool(process.restarts) or all(_serves(program, processes) for program in process.component.after)


def _serves(program: str, processes: dict[str, Supervised]) -> bool:
    """Whether an instance of a program is ready; one that runs elsewhere is taken to be."""
    phases = [each.phase for each in processes.values() if each.component.program == program]
    return not phases or Phase.READY in phases
