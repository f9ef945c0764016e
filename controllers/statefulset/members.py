"""The pods of a StatefulSet in their places, read once: turns, updates and status all decide from this one value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controllers.core.moment import Moment
from controllers.core.owned_pods import available_in
from controllers.core.revisions import ControllerRevision
from controllers.core.workloads import StatefulSet
from controllers.statefulset.identity import ordinal_of, ordinals, ordinals_to_fill, pod_name
from controllers.statefulset.storage import Known
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_ready, is_terminating

PARALLEL = "Parallel"


@dataclass(frozen=True, slots=True)
class Place:
    """One ordinal, and the pod that has it."""

    ordinal: int
    pod: Pod | None
    is_taken: bool = False  # somebody else's pod has the name: nothing can be done until that is gone


@dataclass(frozen=True, slots=True)
class Members:
    """A StatefulSet and its pods."""

    owner: StatefulSet
    pods: tuple[Pod, ...]  # all of them: those of the places, then the condemned ones
    places: tuple[Place, ...]  # of `ordinals_to_fill`, the lowest ordinal first
    condemned: tuple[Pod, ...]  # of ordinals that there are to be no more, the highest first
    current: ControllerRevision  # of the last update that is complete
    update: ControllerRevision  # of the template of now
    claims: Known
    waits: Mapping[str, float | None]  # see `available_in`; by the names of the pods

    @property
    def in_order(self) -> bool:
        """Whether each pod waits for those before it."""
        return self.owner.spec.podManagementPolicy != PARALLEL

    def available_in(self, pod: Pod) -> float | None:
        """Return the seconds until a pod is available, 0 where it is, None where it does not run or is not Ready."""
        return self.waits[pod.metadata.name]

    def is_unavailable(self, pod: Pod | None) -> bool:
        """Whether a pod cannot be relied on: it is not there, ends, or is not available."""
        return pod is None or is_terminating(pod) or self.available_in(pod) != 0


def is_running_and_ready(pod: Pod) -> bool:
    """Whether a pod runs and is Ready."""
    return pod.status.phase == "Running" and is_ready(pod)


def read_members(
    owner: StatefulSet,
    owned: Sequence[Pod],
    others: Iterable[Pod],
    current: ControllerRevision,
    update: ControllerRevision,
    claims: Known,
    moment: Moment,
) -> Members:
    """Put a StatefulSet's pods into their places. `others` are pods that it does not own."""
    wanted, taken = ordinals(owner), {pod.metadata.name for pod in others}
    numbered = ((ordinal_of(owner, pod.metadata.name), pod) for pod in owned)
    by_ordinal = {ordinal: pod for ordinal, pod in numbered if ordinal is not None}
    places = tuple(
        Place(ordinal, by_ordinal.get(ordinal), is_taken=bool(taken) and pod_name(owner, ordinal) in taken)
        for ordinal in ordinals_to_fill(owner, by_ordinal.keys())
    )
    surplus = sorted((ordinal for ordinal in by_ordinal if ordinal not in wanted), reverse=True)
    condemned = tuple(by_ordinal[ordinal] for ordinal in surplus)
    return Members(
        owner,
        (*(place.pod for place in places if place.pod), *condemned),
        places,
        condemned,
        current,
        update,
        claims,
        {pod.metadata.name: _available_in(owner, pod, moment) for pod in owned},
    )


def _available_in(owner: StatefulSet, pod: Pod, moment: Moment) -> float | None:
    return available_in(pod, owner.spec.minReadySeconds, moment) if is_running_and_ready(pod) else None
