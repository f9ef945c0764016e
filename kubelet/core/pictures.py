"""The newest picture of each pod that the runtime has, and what to ask so that the next one is true.

Fed by the shell (kubelet/relist.py) with the runtime's lists, answers and events; pod workers read it. Pictures
never go back in time: what was asked before a newer answer came is thrown away. What has not changed is not asked
about again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, TypeAlias

from kubelet.core import labels
from kubelet.core.observed import (
    ContainerState,
    ObservedContainer,
    ObservedPod,
    ObservedSandbox,
    observe_pod,
)
from machinery.model.backoff import Backoff
from machinery.model.clock import Timescale
from machinery.pb import cri_pb2 as cri

LINGER_S: Final = (
    0.05  # wall seconds that whoever changes something has for a look at it, before an event leads to one
)
RETRY: Final = Backoff(initial_s=0.1, cap_s=1.0)  # wall seconds between questions to a runtime that is silent
_PERIOD_S: Final = 1.0  # cluster seconds between two looks, but not more often than the wall allows:
_LEAST_WALL_S: Final = 0.25
_TRUSTED_PERIOD_S: Final = 300.0
_LEAST_STREAMING_WALL_S: Final = (
    30.0  # events tell what matters; a stream that ends or begins is a reason to look at once
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What the runtime's two lists say of one pod: CRI's PodSandbox and Container messages."""

    sandboxes: Sequence[Any] = ()
    containers: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Questions:
    """The ids of which a list does not say enough."""

    sandboxes: Sequence[str]
    containers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answers:
    """What was found under the ids that were asked about, None for what is gone already."""

    sandboxes: Mapping[str, ObservedSandbox | None] = field(default_factory=dict)
    containers: Mapping[str, ObservedContainer | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainerEnded:
    """An event that says all that there is to know: the CRI status of a container that has ended."""

    status: Any
    sandbox_id: str


@dataclass(frozen=True, slots=True)
class SandboxStopped:
    """An event that a sandbox in which nothing runs any more was stopped."""

    id: str


class Look(Enum):
    """What else can come of an event."""

    AT_NOTHING = 0
    AT_POD = 1


EventMeaning: TypeAlias = ContainerEnded | SandboxStopped | Look


class Pictures:
    """The pictures, by pod uid."""

    def __init__(self) -> None:
        self._pods: dict[str, ObservedPod] = {}
        self._taken_at: dict[str, int] = {}
        self.serial = 0  # of the newest picture

    @property
    def uids(self) -> tuple[str, ...]:
        """The uids of all pods that the runtime has something of."""
        return tuple(self._pods)

    def observed(self, uid: str) -> ObservedPod:
        """Return the newest picture of a pod, an empty one where there is nothing."""
        return self._pods.get(uid) or ObservedPod(uid)

    def put(self, picture: ObservedPod) -> bool:
        """Keep a picture; whether it shows anything new."""
        uid, before = picture.uid, self._pods.get(picture.uid)
        self.serial += 1
        self._taken_at[uid] = self.serial
        if picture.is_empty:
            self._pods.pop(uid, None)
        else:
            self._pods[uid] = picture
        return before != picture and not (before is None and picture.is_empty)

    def is_newest(self, uid: str, asked_at: int) -> bool:
        """Whether what was asked about a pod at this serial is still the newest: no other picture has come since."""
        return self._taken_at.get(uid, 0) <= asked_at

    def forget_marks(self, asked_at: int) -> None:
        """Drop what only guarded against older looks, now that the look that began at this serial is over."""
        marks = self._taken_at.items()
        self._taken_at = {uid: at for uid, at in marks if uid in self._pods or at > asked_at}


def by_pod(sandboxes: Iterable[Any], containers: Iterable[Any], known: Iterable[str]) -> dict[str, Listing]:
    """Sort two lists of everything by the pod that it belongs to; pods that are known and gone have empty lists."""
    found: dict[str, tuple[list[Any], list[Any]]] = {uid: ([], []) for uid in known}
    for index, items in enumerate((sandboxes, containers)):
        for item in items:
            if uid := item.labels.get(labels.POD_UID, ""):
                found.setdefault(uid, ([], []))[index].append(item)
    return {uid: Listing(*own) for uid, own in found.items()}


def has_changed(known: ObservedPod, listing: Listing) -> bool:
    """Whether the lists show anything that the picture does not."""
    before = {(each.id, each.is_ready) for each in known.sandboxes}
    before_runs = {(each.id, each.state.value) for each in known.containers}
    now = {(each.id, _is_ready(each)) for each in listing.sandboxes}
    return before != now or before_runs != {(each.id, each.state) for each in listing.containers}


def is_as_far(known: ObservedPod, status: Any) -> bool:
    """Whether the picture shows a container at least as far as its CRI ContainerStatus: created, then running, then exited."""
    return any(each.id == status.id and each.state.value >= status.state for each in known.containers)


def questions(known: ObservedPod, listing: Listing) -> Questions:
    """Return what has to be asked about: new sandboxes, those that became ready, containers in another state.

    Of a sandbox that has stopped everything else is known already.
    """
    seen = {each.id: each for each in known.sandboxes}
    runs = {each.id: each.state.value for each in known.containers}
    return Questions(
        [
            each.id
            for each in listing.sandboxes
            if each.id not in seen or (_is_ready(each) and not seen[each.id].is_ready)
        ],
        [each.id for each in listing.containers if runs.get(each.id) != each.state],
    )


def compose(known: ObservedPod, listing: Listing, answers: Answers) -> ObservedPod:
    """Combine the last picture, the lists, and the answers to `questions` to a new one.

    A new sandbox that is gone before it could be asked about is one that is not ready; such a container is left out.
    """
    seen = {each.id: each for each in known.sandboxes}
    runs: dict[str, ObservedContainer | None] = {each.id: each for each in known.containers}
    runs.update(answers.containers)
    sandboxes = []
    for listed in listing.sandboxes:
        found = answers.sandboxes.get(listed.id)
        if found is None and listed.id in answers.sandboxes:
            found = ObservedSandbox(listed.id, listed.metadata.attempt, is_ready=False)
        sandboxes.append(found or replace(seen[listed.id], is_ready=_is_ready(listed)))
    containers = [run for listed in listing.containers if (run := runs[listed.id]) is not None]
    named: Mapping[str, str] = {}
    for each in (*listing.sandboxes, *listing.containers):
        named = each.labels
    namespace = named.get(labels.POD_NAMESPACE, known.namespace)
    return observe_pod(known.uid, namespace, named.get(labels.POD_NAME, known.name), sandboxes, containers)


def with_sandbox(known: ObservedPod, new: ObservedSandbox, *, namespace: str, name: str) -> ObservedPod:
    """Return the picture with one sandbox as it is now."""
    others = [each for each in known.sandboxes if each.id != new.id]
    return observe_pod(known.uid, namespace, name, [new, *others], known.containers)


def with_stopped_sandbox(known: ObservedPod, id_: str) -> ObservedPod:
    """Return the picture with one sandbox stopped: everything else is known of it."""
    sandboxes = [replace(each, is_ready=False) if each.id == id_ else each for each in known.sandboxes]
    return observe_pod(known.uid, known.namespace, known.name, sandboxes, known.containers)


def with_container(known: ObservedPod, new: ObservedContainer) -> ObservedPod:
    """Return the picture with one container as it is now."""
    others = [each for each in known.containers if each.id != new.id]
    return observe_pod(known.uid, known.namespace, known.name, known.sandboxes, [new, *others])


def without_container(known: ObservedPod, id_: str) -> ObservedPod:
    """Return the picture without a container that has been removed."""
    left = [each for each in known.containers if each.id != id_]
    return observe_pod(known.uid, known.namespace, known.name, known.sandboxes, left)


def without_sandbox(known: ObservedPod, id_: str) -> ObservedPod:
    """Return the picture without a sandbox that has been removed, and what was in it."""
    sandboxes = [each for each in known.sandboxes if each.id != id_]
    left = [each for each in known.containers if each.sandbox_id != id_]
    return observe_pod(known.uid, known.namespace, known.name, sandboxes, left)


def read_event(event: Any, known: ObservedPod) -> EventMeaning:
    """Return what a CRI ContainerEventResponse tells about its pod.

    The end of a container that is known is taken as it is told, and so is that of its sandbox; where anything else may be new
    the pod is looked at. Starts are no news: who starts a container looks at it, or takes what its event says.
    """
    is_stop = event.container_event_type == cri.CONTAINER_STOPPED_EVENT
    if event.container_id == event.pod_sandbox_status.id:
        return _sandbox_stop(event.pod_sandbox_status, known) if is_stop else Look.AT_NOTHING
    run = next((each for each in known.containers if each.id == event.container_id), None)
    if run is None:
        return Look.AT_POD if is_stop else Look.AT_NOTHING
    if not is_stop:
        is_removal = event.container_event_type == cri.CONTAINER_DELETED_EVENT
        return Look.AT_POD if is_removal else Look.AT_NOTHING
    if run.state is ContainerState.EXITED:
        return Look.AT_NOTHING
    status = next((each for each in event.containers_statuses if each.id == run.id), None)
    if status is None or status.state != cri.CONTAINER_EXITED:
        return Look.AT_POD
    return ContainerEnded(status, run.sandbox_id)


def _sandbox_stop(status: Any, known: ObservedPod) -> EventMeaning:
    """Return what a stop of a sandbox says. One that is not known is looked at by whoever makes it, or was removed."""
    if not any(each.id == status.id and each.is_ready for each in known.sandboxes):
        return Look.AT_NOTHING
    inside = (each.state for each in known.containers if each.sandbox_id == status.id)
    is_over = status.state == cri.SANDBOX_NOTREADY and all(state is ContainerState.EXITED for state in inside)
    return SandboxStopped(status.id) if is_over else Look.AT_POD


def told_container(event: Any) -> Any | None:
    """Return the status of the container that a CRI event tells the start of; None where it does not say enough."""
    found = next((each for each in event.containers_statuses if each.id == event.container_id), None)
    return found if found is not None and found.state != cri.CONTAINER_CREATED else None


def told_sandbox(event: Any) -> Any | None:
    """Return the status of the sandbox that a CRI event tells the start of; None where it does not say enough.

    Some runtimes tell of a sandbox before it has its address.
    """
    status = event.pod_sandbox_status
    has_network = status.network.ip or status.linux.namespaces.options.network == cri.NODE
    is_whole = status.id == event.container_id and status.state == cri.SANDBOX_READY and has_network
    return status if is_whole else None


def pause_s(failures: int, timescale: Timescale, *, is_streaming: bool, is_trusted: bool = False) -> float:
    """Return the cluster seconds until the next look at everything, after so many failures in a row.

    With the stream of a runtime that is trusted to tell every event it is only the safety net that Kubernetes has there, too
    (https://kubernetes.io/docs/tasks/administer-cluster/switch-to-evented-pleg/).
    """
    if failures:
        return timescale.cluster(RETRY.delay(failures))
    if is_streaming and is_trusted:
        return _TRUSTED_PERIOD_S
    least_s = _LEAST_STREAMING_WALL_S if is_streaming else _LEAST_WALL_S
    return max(_PERIOD_S, timescale.cluster(least_s))


def _is_ready(listed: Any) -> bool:
    return bool(listed.state == cri.SANDBOX_READY)
