"""What a Pod asks for, and which state it is in: rules that the scheduler, the controllers and the kubelet share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from math import ceil
from typing import Final, Literal

from msgspec.structs import replace

from machinery.model import quantity
from machinery.model.k8s.core_v1 import (
    Container,
    ContainerStatus,
    Pod,
    PodSpec,
    PodStatus,
    ResourceRequirements,
)

Amounts = dict[str, Fraction]

GUARANTEED: Final = "Guaranteed"
BURSTABLE: Final = "Burstable"
BEST_EFFORT: Final = "BestEffort"
_QOS_RESOURCES: Final = ("cpu", "memory")
_POD_LEVEL_RESOURCES: Final = ("cpu", "memory")
_NATIVE: Final = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True, slots=True)
class PodRequests:
    """Amounts of a whole pod, in whole units."""

    cpu_millicores: int = 0
    memory_bytes: int = 0
    ephemeral_bytes: int = 0
    extended: dict[str, int] = field(default_factory=dict)  # by resource name; hugepages-* too


def is_ready(pod: Pod) -> bool:
    """Whether the Ready condition is True."""
    return any(
        condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions
    )


def is_terminal(pod: Pod) -> bool:
    """Whether every container has ended for good."""
    return pod.status.phase in {"Succeeded", "Failed"}


def is_terminating(pod: Pod) -> bool:
    """Whether its deletion has been asked for."""
    return pod.metadata.deletionTimestamp is not None


def is_active(pod: Pod) -> bool:
    """Whether it counts as a replica: neither ended nor being deleted."""
    return not is_terminal(pod) and not is_terminating(pod)


def is_sidecar(container: Container) -> bool:
    """Whether an init container keeps running beside the main ones (KEP-753)."""
    return container.restartPolicy == "Always"


def lasting_containers(spec: PodSpec) -> Iterator[Container]:
    """Return the containers that run as long as the pod does: the main ones, then the sidecars."""
    yield from spec.containers
    yield from (container for container in spec.initContainers if is_sidecar(container))


def requests(pod: Pod) -> PodRequests:
    """Return what a node has to have free for the pod (KEP-753: sidecars; KEP-2837: pod-level; overhead on top)."""
    return _whole(_effective(pod, lambda resources: resources.requests, pod_level="requests"))


def as_reserved(pod: Pod) -> Pod:
    """Return a pod with the requests that its node keeps for it while it is resized in place (KEP-1287).

    Of the pod as a whole and of each container the most of what is declared, allocated and in force; where its node can never have what is declared, that
    does not count. A pod that was never changed is returned as it is.
    """
    if (pod.metadata.generation or 0) <= 1 or not pod.status.containerStatuses:
        return pod
    told = {each.name: each for each in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)}
    ignores = any(
        each.type == "PodResizePending" and each.reason == "Infeasible" for each in pod.status.conditions
    )

    def most(own: ResourceRequirements, status: ContainerStatus | PodStatus) -> ResourceRequirements:
        parts = [status.allocatedResources, status.resources.requests if status.resources else {}]
        amounts = dict(own.requests)
        for name in _QOS_RESOURCES:
            known = [part[name] for part in parts if name in part]
            if name in amounts and known:
                amounts[name] = max(known if ignores else [amounts[name], *known], key=quantity.parse)
        return own if amounts == own.requests else replace(own, requests=amounts)

    def reserved(container: Container) -> Container:
        status = told.get(container.name)
        if status is None or not status.allocatedResources:
            return container
        own = _declared(container)
        found = most(own, status)
        return container if found is own else replace(container, resources=found)

    spec = replace(
        pod.spec,
        containers=[reserved(each) for each in pod.spec.containers],
        initContainers=[reserved(each) for each in pod.spec.initContainers],
        resources=most(pod.spec.resources, pod.status) if pod.spec.resources else None,
    )
    return replace(pod, spec=spec)


def limits(pod: Pod) -> PodRequests:
    """Return the sums of the limits that are set; a container without one adds nothing (see `limits_all`)."""
    return _whole(_effective(pod, lambda resources: resources.limits, pod_level="limits"))


def limits_all(pod: Pod, resource: str) -> bool:
    """Whether every container, or the pod itself, has a limit for the resource: only then is the pod bounded."""
    if pod.spec.resources and resource in pod.spec.resources.limits:
        return True
    return all(resource in _declared(container).limits for container in lasting_containers(pod.spec))


def container_requests(container: Container) -> PodRequests:
    """Return what one container asks for."""
    return _whole(_amounts(_declared(container).requests))


def container_limits(container: Container) -> PodRequests:
    """Return one container's limits, 0 where there is none."""
    return _whole(_amounts(_declared(container).limits))


def qos_class(pod: Pod) -> str:
    """Return Guaranteed, Burstable or BestEffort.

    https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
    """
    return qos_class_of((resources.requests, resources.limits) for resources in _qos_parts(pod))


def qos_class_of(parts: Iterable[tuple[Mapping[str, str], Mapping[str, str]]]) -> str:
    """Return the class of a pod whose containers, or which itself, have these requests and limits."""
    amounts = [(_qos_amounts(requests), _qos_amounts(limits)) for requests, limits in parts]
    if not any(asked or limited for asked, limited in amounts):
        return BEST_EFFORT
    if any(len(limited) < len(_QOS_RESOURCES) for _, limited in amounts):
        return BURSTABLE
    asked, limited = (reduce(_plus, each) for each in zip(*amounts, strict=True))
    return GUARANTEED if asked == limited else BURSTABLE


def _qos_parts(pod: Pod) -> list[ResourceRequirements]:
    if pod.spec.resources and (pod.spec.resources.requests or pod.spec.resources.limits):
        return [pod.spec.resources]
    return [_declared(container) for container in (*pod.spec.containers, *pod.spec.initContainers)]


def _qos_amounts(texts: Mapping[str, str]) -> Amounts:
    if not texts:
        return {}
    amounts = {name: quantity.parse(texts[name]) for name in _QOS_RESOURCES if name in texts}
    return {name: amount for name, amount in amounts.items() if amount.numerator > 0}


def _effective(
    pod: Pod,
    amounts_of: Callable[[ResourceRequirements], Mapping[str, str]],
    *,
    pod_level: Literal["requests", "limits"],
) -> Amounts:
    def of(container: Container) -> Amounts:
        return _amounts(amounts_of(_declared(container)))

    total: Amounts = {}
    for container in pod.spec.containers:
        total = _plus(total, of(container))
    total = _with_init_containers(pod, total, of)
    if pod.spec.resources:
        own = _amounts(getattr(pod.spec.resources, pod_level))
        total |= {name: own[name] for name in own if _is_pod_level(name)}
    overhead = _amounts(pod.spec.overhead)
    if pod_level == "limits":  # overhead bounds only what is bounded already
        overhead = {name: amount for name, amount in overhead.items() if name in total}
    return _plus(total, overhead)


def _with_init_containers(pod: Pod, total: Amounts, of: Callable[[Container], Amounts]) -> Amounts:
    """Add the sidecars, and raise to what the start needs: each init container beside the sidecars before it."""
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in pod.spec.initContainers:
        own = of(container)
        peak = _most(peak, _plus(sidecars, own))
        if is_sidecar(container):
            sidecars = _plus(sidecars, own)
    return _most(_plus(total, sidecars), peak)


def _declared(container: Container) -> ResourceRequirements:
    return container.resources or _NOTHING


def _is_pod_level(name: str) -> bool:
    return name in _POD_LEVEL_RESOURCES or name.startswith("hugepages-")


def _amounts(texts: Mapping[str, str]) -> Amounts:
    return {name: quantity.parse(text) for name, text in texts.items()}


def _plus(left: Amounts, right: Amounts) -> Amounts:
    return {name: left.get(name, _ZERO) + right.get(name, _ZERO) for name in left | right}


def _most(left: Amounts, right: Amounts) -> Amounts:
    return {name: max(left.get(name, _ZERO), right.get(name, _ZERO)) for name in left | right}


def _whole(amounts: Amounts) -> PodRequests:
    return PodRequests(
        cpu_millicores=ceil(amounts.get("cpu", _ZERO) * 1000),
        memory_bytes=ceil(amounts.get("memory", _ZERO)),
        ephemeral_bytes=ceil(amounts.get("ephemeral-storage", _ZERO)),
        extended={name: ceil(amount) for name, amount in amounts.items() if name not in _NATIVE},
    )


_ZERO: Final = Fraction(0)
_NOTHING: Final = ResourceRequirements()
