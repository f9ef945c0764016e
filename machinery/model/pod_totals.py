"""What a whole pod requests and is limited to: of its containers together, of those that begin it, sidecars, overhead.

`machinery.model.pods` makes the same sums of typed pods for the scheduler; here they are of every resource, of limits,
too, and of JSON.
https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from machinery.model import amounts
from machinery.model.amounts import Amount, Amounts
from machinery.model.json_objects import Json, spec

Side: TypeAlias = Literal["requests", "limits"]

HUGE_PAGES: Final = "hugepages-"
POD_LEVEL: Final = frozenset({"cpu", "memory"})  # and huge pages


def container_amounts(container: Json, side: Side) -> dict[str, Amount]:
    """Return what a container, or a whole pod by its spec, asks for itself."""
    return amounts.read((container.get("resources") or {}).get(side))


def declared(pod: Json, side: Side) -> dict[str, Amount]:
    """Return what the spec of a pod asks for, without the overhead of a RuntimeClass."""
    return _total(spec(pod), side, lambda container: container_amounts(container, side))


def of_containers(pod_spec: Json, side: Side) -> dict[str, Amount]:
    """Return what the containers of a pod ask for together, whatever it asks for as a whole."""
    return _together(pod_spec, lambda container: container_amounts(container, side))


def all_limited(pod_spec: Json, name: str) -> bool:
    """Whether each container of a pod has a limit for a resource, those that begin it, too."""
    listed = [*(pod_spec.get("containers") or ()), *(pod_spec.get("initContainers") or ())]
    return all(name in container_amounts(each, "limits") for each in listed)


def charged(pod: Json, side: Side) -> dict[str, Amount]:
    """Return what a pod counts for, with its overhead.

    While a pod is resized it counts for the larger of what it has and what it is to have; where its node will never
    give it that, for what it has.
    """
    statuses = _statuses(pod)
    infeasible = _is_infeasible(pod)

    def counted(container: Json) -> Amounts:
        wanted = container_amounts(container, side)
        status = statuses.get(container.get("name", ""))
        if status is None:
            return wanted
        has = container_amounts(status, side)
        if side == "requests":
            has = amounts.greatest(has, amounts.read(status.get("allocatedResources")))
        return has if infeasible else amounts.greatest(wanted, has)

    total = {**_together(spec(pod), counted), **_whole_charged(pod, side, infeasible=infeasible)}
    overhead = amounts.read(spec(pod).get("overhead"))
    if side == "limits":  # where a pod is not limited, its overhead is not either
        overhead = amounts.only(overhead, total)
    return amounts.added(total, overhead)


def _whole_charged(pod: Json, side: Side, *, infeasible: bool) -> Amounts:
    """Return what a pod counts for of that which it has as a whole: the larger of what it has and what it is to have."""
    wanted, status = container_amounts(spec(pod), side), pod.get("status") or {}
    wanted = amounts.only(wanted, filter(is_pod_level, wanted))
    has = container_amounts(status, side)
    if side == "requests":
        has = amounts.greatest(has, amounts.read(status.get("allocatedResources")))
    has = amounts.only(has, wanted)
    return {**wanted, **has} if infeasible else amounts.greatest(wanted, has)


def is_sidecar(container: Json) -> bool:
    """Whether one of the containers that begin a pod goes on beside the others."""
    return container.get("restartPolicy") == "Always"


def _total(pod_spec: Json, side: Side, of: Callable[[Json], Amounts]) -> dict[str, Amount]:
    """Return what the containers ask for, or, for each resource that the whole pod says something of, that."""
    whole = container_amounts(pod_spec, side)
    return {**_together(pod_spec, of), **amounts.only(whole, filter(is_pod_level, whole))}


def _together(pod_spec: Json, of: Callable[[Json], Amounts]) -> dict[str, Amount]:
    """Return the most that is needed at once: by all that stay, or by one that begins the pod and the sidecars before it."""
    total: dict[str, Amount] = {}
    for container in pod_spec.get("containers") or ():
        amounts.add_to(total, of(container))
    sidecars: dict[str, Amount] = {}
    beginning: dict[str, Amount] = {}
    for container in pod_spec.get("initContainers") or ():
        own = of(container)
        if is_sidecar(container):
            amounts.add_to(total, own)
            amounts.add_to(sidecars, own)
        else:  # what only the sidecars need is in the total
            amounts.raise_to(beginning, amounts.added(own, amounts.only(sidecars, own)))
    amounts.raise_to(total, beginning)
    return total


def is_pod_level(name: str) -> bool:
    """Whether a pod may ask for a resource as a whole, whatever its containers ask for."""
    return name in POD_LEVEL or name.startswith(HUGE_PAGES)


def _statuses(pod: Json) -> dict[str, Json]:
    status = pod.get("status") or {}
    every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return {each.get("name", ""): each for each in every if each.get("resources") is not None}


def _is_infeasible(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(
        (each.get("type"), each.get("reason")) == ("PodResizePending", "Infeasible") for each in conditions
    )
