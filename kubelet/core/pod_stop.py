"""In which order a pod is stopped: main containers first, then the sidecars backwards, then the sandbox.

https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#pod-termination
One grace period holds for all of it: what it leaves for the sidecars is what the main containers did not use.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from kubelet.core.actions import Action, ActionKey, KillContainer, RemoveContainer, RemoveSandbox, StopSandbox
from kubelet.core.containers import find, sidecars
from kubelet.core.instructions import Instruction, Shorten
from kubelet.core.life import Life
from kubelet.core.observed import ObservedContainer, ObservedPod
from kubelet.core.pod_actions import Kill
from kubelet.core.termination import Deadline


def plan_stop(life: Life, now_s: float, *, only_sandboxes: Collection[str] | None = None) -> list[Action]:
    """Return the next actions towards silence; `only_sandboxes` limits them to stopping these."""
    if only_sandboxes is not None:
        return [StopSandbox(id_) for id_ in only_sandboxes]
    turn = _whose_turn(life)
    if turn:
        deadline = life.ending.deadline if life.ending else Deadline(now_s, 0)
        return [_kill_action(life, _stopping(run, deadline), run, deadline) for run in turn]
    if life.observed.running() or life.busy:
        return []
    return [StopSandbox(sandbox.id) for sandbox in life.observed.sandboxes if sandbox.is_ready]


def sync_kill(life: Life, kill: Kill, now_s: float) -> Action:
    """Return the action that kills one container of a pod that goes on."""
    run = next(run for run in life.observed.containers if run.id == kill.id)
    return _kill_action(life, kill, run, Deadline(now_s, kill.grace_s))


def shorten(life: Life, _now_s: float, out: list[Instruction]) -> Life:
    """Bring the kills that are on their way under the deadline of the ending."""
    if life.ending is None:
        return life
    shortened: dict[ActionKey, Action] = {}
    for key, action in life.actions.items():
        if isinstance(action, KillContainer) and action.deadline.end_s > life.ending.deadline.end_s:
            shortened[key] = replace(action, deadline=life.ending.deadline)
            out.append(Shorten(key, life.ending.deadline))
    return replace(life, actions={**life.actions, **shortened}) if shortened else life


def plan_removal(observed: ObservedPod) -> list[Action]:
    """Return what takes away all that is left: the containers, then the sandboxes."""
    if observed.containers:
        return [RemoveContainer(container.id) for container in observed.containers]
    return [RemoveSandbox(sandbox.id) for sandbox in observed.sandboxes]


def _whose_turn(life: Life) -> list[ObservedContainer]:
    """Return the containers that are to be stopped next."""
    running = life.observed.running()
    order = [container.name for container in sidecars(life.pod)]
    starting = life.starting  # given up already: its end comes first
    first = [run for run in running if run.name not in order and run.name not in starting]
    if first or not running:
        return first
    if life.busy - set(order):  # a main container is still being started or killed
        return []
    last = order[max(order.index(run.name) for run in running)]
    return [run for run in running if run.name == last and last not in starting]


def _stopping(run: ObservedContainer, deadline: Deadline) -> Kill:
    return Kill(run.id, run.name, f"Stopping container {run.name}", deadline.grace_s)


def _kill_action(life: Life, kill: Kill, run: ObservedContainer, deadline: Deadline) -> KillContainer:
    container = find(life.pod, run.name)
    declared = container.lifecycle.preStop if container and container.lifecycle else None
    sandbox = next((each for each in life.observed.sandboxes if each.id == run.sandbox_id), None)
    return KillContainer(
        kill=kill,
        deadline=deadline,
        pre_stop=declared if container else run.pre_stop,
        ports=tuple(container.ports) if container else run.ports,
        pod_ip=sandbox.ips[0] if sandbox and sandbox.ips else "",
    )
