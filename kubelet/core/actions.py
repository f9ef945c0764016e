"""What takes time in the life of a pod: actions, and the keys under which they are on their way.

Planned by `pod_actions` and `pod_stop`, begun by `pod_lifecycle`, carried out by the shell (kubelet/pod_executor.py).
Of one key no two actions are under way at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, TypeAlias, assert_never

from kubelet.core.pod_actions import Kill, Start
from kubelet.core.termination import Deadline
from machinery.model.k8s.core_v1 import ContainerPort, LifecycleHandler, ResourceRequirements


class Verb(Enum):
    """What an action does; the values are for logs."""

    RUN_SANDBOX = "sandbox"
    STOP_SANDBOX = "stop"
    START = "start"
    KILL = "kill"
    REMOVE = "remove"
    CLEAN_UP = "clean-up"
    RESIZE = "resize"


class ActionKey(NamedTuple):
    """Which action: what it does, and to what."""

    verb: Verb
    target: str = (
        ""  # the container's name for START, otherwise an id of the runtime; "" where there is only one
    )

    def __str__(self) -> str:
        """Write it for a log: start/main."""
        return f"{self.verb.value}/{self.target}" if self.target else self.verb.value


RUN_SANDBOX_KEY = ActionKey(Verb.RUN_SANDBOX)


@dataclass(frozen=True, slots=True)
class RunSandbox:
    """Mount the volumes, then make the sandbox."""

    attempt: int


@dataclass(frozen=True, slots=True)
class StopSandbox:
    """Stop a sandbox in which nothing runs any more."""

    id: str


@dataclass(frozen=True, slots=True)
class StartContainer:
    """Have the image, make the container, start it, run its postStart hook."""

    start: Start
    sandbox_id: str
    sandbox_attempt: int
    ips: tuple[str, ...]
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)  # that it is made with


@dataclass(frozen=True, slots=True)
class ResizeContainer:
    """Hold a running container to other resources, and the pod's cgroup with it."""

    id: str
    name: str
    resources: ResourceRequirements


@dataclass(frozen=True, slots=True)
class ResizePod:
    """Hold the pod's own cgroup to what is allocated to the pod as a whole."""

    resources: ResourceRequirements


@dataclass(frozen=True, slots=True)
class KillContainer:
    """Run the preStop hook, send the stop signal, and kill at the end of the grace period."""

    kill: Kill
    deadline: Deadline
    pre_stop: LifecycleHandler | None
    ports: tuple[ContainerPort, ...]
    pod_ip: str


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    """Forget a container that does not run; its log goes, too."""

    id: str
    log_path: str = ""


@dataclass(frozen=True, slots=True)
class RemoveSandbox:
    """Forget a sandbox that is stopped and empty."""

    id: str


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Remove the pod's volumes and its cgroup."""


Action: TypeAlias = (
    RunSandbox
    | StopSandbox
    | StartContainer
    | ResizeContainer
    | ResizePod
    | KillContainer
    | RemoveContainer
    | RemoveSandbox
    | CleanUp
)


_OF_ID: Final = {
    StopSandbox: Verb.STOP_SANDBOX,
    ResizeContainer: Verb.RESIZE,
    RemoveContainer: Verb.REMOVE,
    RemoveSandbox: Verb.REMOVE,
}


def key_of(action: Action) -> ActionKey:
    """Return the key of an action: one sandbox at a time, one start for a name, one kill for a container."""
    match action:
        case RunSandbox():
            return RUN_SANDBOX_KEY
        case StartContainer(start):
            return ActionKey(Verb.START, start.name)
        case KillContainer(kill):
            return ActionKey(Verb.KILL, kill.id)
        case StopSandbox(id_) | ResizeContainer(id_) | RemoveContainer(id_) | RemoveSandbox(id_):
            return ActionKey(_OF_ID[type(action)], id_)
        case ResizePod():
            return ActionKey(Verb.RESIZE)
        case CleanUp():
            return ActionKey(Verb.CLEAN_UP)
        case _:
            assert_never(action)
