"""In-place resize of a pod: what is allocated to its containers, what they have, and whether the node has more to give.

    declared    in the pod's spec, as the API has it
    allocated   what the node has promised: the spec of `Life.pod` has these, so that everything else goes by them
    applied     what the runtime holds a container to, by its id

https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/ (KEP-1287)
What is declared becomes allocated when it fits (`judge`); what is allocated is applied by an update of the running container,
or by its restart, as its policy says. Only cpu and memory are resized. What a pod has as a whole (KEP-5419) bounds its group, and
the containers that have no limit of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Final

import msgspec

from kubelet.core.observed import ObservedContainer, ObservedPod
from machinery.model import quantity
from machinery.model.k8s.core_v1 import Container, ContainerStatus, Pod, ResourceRequirements
from machinery.model.placement import is_short, read_allocatable, requests_by_name
from machinery.model.pods import requests

RESIZED: Final = ("cpu", "memory")
DEFERRED: Final = "Deferred"
INFEASIBLE: Final = "Infeasible"
_NONE: Final = ResourceRequirements()

Resources = Mapping[str, ResourceRequirements]  # by container name, or by id


@dataclass(frozen=True, slots=True)
class Pending:
    """Why what is declared is not allocated yet."""

    reason: str  # DEFERRED: later, maybe; INFEASIBLE: never on this node
    message: str


class Change(Enum):
    """What has to happen to a running container that has other resources than are allocated to it."""

    NOTHING = 0
    UPDATE = 1
    RESTART = 2


def resources_of(pod: Pod, container: Container) -> ResourceRequirements:
    """Return what is allocated to a container: its own, and the limits of its pod where it has none."""
    return _bounded(container.resources or _NONE, pod.spec.resources)


def declared_part(pod: Pod, container: Container, resources: ResourceRequirements) -> ResourceRequirements:
    """Return what of a container's resources is its own, without the limits that it has from its pod."""
    if pod.spec.resources is None:
        return resources
    own = (container.resources or _NONE).limits
    limits = {name: text for name, text in resources.limits.items() if name in own or name not in RESIZED}
    return msgspec.structs.replace(resources, limits=limits)


def _bounded(own: ResourceRequirements, whole: ResourceRequirements | None) -> ResourceRequirements:
    more = {name: whole.limits[name] for name in RESIZED if name in whole.limits} if whole else {}
    return msgspec.structs.replace(own, limits={**more, **own.limits}) if more else own


def is_same(left: ResourceRequirements, right: ResourceRequirements) -> bool:
    """Whether two have as much cpu and memory."""
    return left == right or not _changed(left, right)


def is_resized(pod: Pod, have: Pod) -> bool:
    """Whether other resources are declared than are allocated."""
    if not is_same(pod.spec.resources or _NONE, have.spec.resources or _NONE):
        return True
    pairs = zip(_members(pod), _members(have), strict=False)
    return any(not is_same(after.resources or _NONE, before.resources or _NONE) for after, before in pairs)


def with_allocated(pod: Pod, have: Pod) -> Pod:
    """Return a pod as the API has it, with what is allocated to it and its containers."""
    known = {each.name: each.resources for each in _members(have)}
    return _with_resources(pod, known, have.spec.resources)


def from_status(pod: Pod) -> Pod:
    """Return a pod with what was allocated to it when another kubelet told its status; where nothing was, as it is declared.

    Limits are not among the allocated resources: where the requests are the declared ones, so are they; else they are those that
    the container had.
    """
    told = {status.name: status for status in _statuses(pod)}
    known = {
        each.name: _allocated(each, told[each.name])
        for each in _members(pod)
        if each.name in told and told[each.name].containerID
    }
    return _with_resources(pod, known, _whole_in_status(pod)) if known else pod


def applied_to_pod(pod: Pod) -> ResourceRequirements | None:
    """Return what a pod's group is held to, as the API was told; what is allocated where it was not."""
    return pod.status.resources if pod.spec.resources and pod.status.resources else pod.spec.resources


def _whole_in_status(pod: Pod) -> ResourceRequirements | None:
    """Return what was allocated to a pod as a whole when another kubelet told its status."""
    if pod.spec.resources is None or pod.status.resources is None:
        return pod.spec.resources
    return _allocated_as_told(pod.spec.resources, pod.status.allocatedResources, pod.status.resources.limits)


def applied_in_status(pod: Pod, observed: ObservedPod) -> dict[str, ResourceRequirements]:
    """Return what running containers have, by their ids, as the API was told."""
    told, whole = (
        {status.containerID.partition("://")[2]: status for status in _statuses(pod)},
        applied_to_pod(pod),
    )
    return {
        run.id: _bounded(ResourceRequirements(limits=found.limits, requests=found.requests), whole)
        for run in observed.running()
        if run.id in told and (found := told[run.id].resources) is not None
    }


def judge(wanted: Pod, have: Pod, used: Mapping[str, int], allocatable: Mapping[str, str]) -> Pending | None:
    """Return why a pod cannot have what it declares; None where it can. `used`: what all pods of the node have, this one too."""
    capacity = read_allocatable(allocatable)
    before, after = requests_by_name(requests(have)), requests_by_name(requests(wanted))
    amounts = [(name, after.get(name, 0), capacity[name]) for name in RESIZED if name in capacity]
    for name, amount, there in amounts:
        if amount > there:
            text = f"Node didn't have enough capacity: {name}, requested: {amount}, capacity: {there}"
            return Pending(INFEASIBLE, text)
    for name, amount, there in amounts:
        others = used.get(name, 0) - before.get(name, 0)
        if amount > before.get(name, 0) and is_short(amount, others, there):
            text = f"Node didn't have enough resource: {name}, requested: {amount}, used: {others}, capacity: {there}"
            return Pending(DEFERRED, text)
    return None


def change_of(pod: Pod, container: Container, run: ObservedContainer, applied: Resources) -> Change:
    """Return what has to happen to a running container."""
    have, allocated = applied.get(run.id), resources_of(pod, container)
    if have is None or have is allocated or have == allocated or not (changed := _changed(allocated, have)):
        return Change.NOTHING
    restarts = {
        each.resourceName for each in container.resizePolicy if each.restartPolicy == "RestartContainer"
    }
    return Change.RESTART if restarts & set(changed) else Change.UPDATE


def is_in_progress(
    pod: Pod,
    observed: ObservedPod,
    applied: Resources,
    restarted: AbstractSet[str] = frozenset(),
    whole: ResourceRequirements | None = None,
) -> bool:
    """Whether a pod or a container does not have what is allocated to it: it runs so, or was ended (`restarted`) to run otherwise.

    `whole`: what the pod's group is held to, of one that has resources as a whole.
    """
    if pod.spec.resources is not None and not is_same(whole or _NONE, pod.spec.resources):
        return True
    for container in (*pod.spec.initContainers, *pod.spec.containers):
        run = observed.newest(container.name)
        if run is None or applied.get(run.id) == container.resources:
            continue
        is_meant = run.is_running or run.id in restarted
        if is_meant and change_of(pod, container, run, applied) is not Change.NOTHING:
            return True
    return False


def _changed(left: ResourceRequirements, right: ResourceRequirements) -> tuple[str, ...]:
    return tuple(
        name
        for name in RESIZED
        if _amount(left.requests, name) != _amount(right.requests, name)
        or _amount(left.limits, name) != _amount(right.limits, name)
    )


def _amount(amounts: Mapping[str, str], name: str) -> Fraction | None:
    return quantity.parse(amounts[name]) if name in amounts else None


def _members(pod: Pod) -> Iterator[Container]:
    yield from pod.spec.initContainers
    yield from pod.spec.containers


def _statuses(pod: Pod) -> Iterator[ContainerStatus]:
    yield from pod.status.initContainerStatuses
    yield from pod.status.containerStatuses


def _with_resources(
    pod: Pod, known: Mapping[str, ResourceRequirements | None], whole: ResourceRequirements | None
) -> Pod:
    def kept(containers: list[Container]) -> list[Container]:
        return [
            msgspec.structs.replace(each, resources=known[each.name]) if each.name in known else each
            for each in containers
        ]

    spec = msgspec.structs.replace(
        pod.spec,
        containers=kept(pod.spec.containers),
        initContainers=kept(pod.spec.initContainers),
        resources=whole,
    )
    return msgspec.structs.replace(pod, spec=spec)


def _allocated(container: Container, status: ContainerStatus) -> ResourceRequirements | None:
    if status.resources is None:
        return container.resources
    declared = container.resources or _NONE
    found = _allocated_as_told(declared, status.allocatedResources, status.resources.limits)
    return container.resources if found is declared else found


def _allocated_as_told(
    declared: ResourceRequirements, asked: Mapping[str, str], limits: Mapping[str, str]
) -> ResourceRequirements:
    """Return what was allocated, by the requests and limits that were told: what is declared, where the requests are the same."""
    if all(_amount(asked, name) == _amount(declared.requests, name) for name in RESIZED):
        return declared
    bound = declared.limits | {name: amount for name, amount in limits.items() if name in RESIZED}
    return ResourceRequirements(limits=bound, requests={**declared.requests, **asked})
