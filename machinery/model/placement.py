"""Whether a node suits a pod: the rules that the scheduler, a node's own admission and DaemonSets share.

Each rule is a pure function of the pod's wish and the node's state; who asks decides what a refusal means, and keeps
whatever sums it needs to ask often.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#how-pods-with-resource-requests-are-scheduled
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from machinery.model import quantity
from machinery.model.k8s.core_v1 import (
    NodeAffinity,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodSpec,
    Taint,
    Toleration,
)
from machinery.model.pods import PodRequests, lasting_containers
from machinery.model.taints import (
    NO_EXECUTE,
    NO_SCHEDULE,
    PREFER_NO_SCHEDULE,
    UNSCHEDULABLE,
    tolerates,
    untolerated,
)

CPU: Final = "cpu"
MEMORY: Final = "memory"
EPHEMERAL_STORAGE: Final = "ephemeral-storage"
PODS: Final = "pods"
EVERY_ADDRESS: Final = "0.0.0.0"

_CORDON: Final = Taint(key=UNSCHEDULABLE, effect=NO_SCHEDULE)
_BARRING: Final = (NO_SCHEDULE, NO_EXECUTE)
_EVICTING: Final = (NO_EXECUTE,)
_AVOIDED: Final = (PREFER_NO_SCHEDULE,)
_WHOLE: Final = re.compile(r"[+-]?\d+", re.ASCII)


# --- taints


def tolerates_cordon(tolerations: Iterable[Toleration]) -> bool:
    """Whether a pod may be put on a node that takes no new pods (spec.unschedulable)."""
    return tolerates(tolerations, _CORDON)


def tolerates_taints(taints: Iterable[Taint], tolerations: Collection[Toleration]) -> bool:
    """Whether a pod tolerates all taints that keep pods away."""
    return not untolerated(taints, tolerations, _BARRING)


def tolerates_evicting_taints(taints: Iterable[Taint], tolerations: Collection[Toleration]) -> bool:
    """Whether a pod that runs on a node already may stay there."""
    return not untolerated(taints, tolerations, _EVICTING)


def count_avoided(taints: Iterable[Taint], tolerations: Collection[Toleration]) -> int:
    """Return how many taints there are that the pod had rather avoid."""
    return len(untolerated(taints, tolerations, _AVOIDED))


# --- labels


def selects_node(
    selector: Mapping[str, str], affinity: NodeAffinity | None, labels: Mapping[str, str], name: str
) -> bool:
    """Whether a node's labels match nodeSelector and, if there are required terms, one of these."""
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    return required is None or any(matches_term(term, labels, name) for term in required.nodeSelectorTerms)


def matches_term(term: NodeSelectorTerm, labels: Mapping[str, str], name: str) -> bool:
    """Whether all of a term's requirements hold; an empty term matches no node."""
    if not term.matchExpressions and not term.matchFields:
        return False
    fields = {"metadata.name": name}
    return all(_holds(each, labels) for each in term.matchExpressions) and all(
        _holds(each, fields) for each in term.matchFields
    )


def _holds(requirement: NodeSelectorRequirement, values: Mapping[str, str]) -> bool:
    have = values.get(requirement.key)
    match requirement.operator:
        case "In":
            return have is not None and have in requirement.values
        case "NotIn":
            return have is None or have not in requirement.values
        case "Exists":
            return have is not None
        case "DoesNotExist":
            return have is None
        case "Gt" | "Lt":
            return have is not None and _compares(have, requirement.operator, requirement.values)
    return False


def _compares(have: str, operator: str, bounds: Sequence[str]) -> bool:
    if len(bounds) != 1 or not _WHOLE.fullmatch(have) or not _WHOLE.fullmatch(bounds[0]):
        return False
    return int(have) > int(bounds[0]) if operator == "Gt" else int(have) < int(bounds[0])


# --- ports of the node


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node that a container wants for itself."""

    protocol: str
    ip: str  # "0.0.0.0" for every address
    port: int


def host_ports(spec: PodSpec) -> Iterator[HostPort]:
    """Return the ports of the node that a pod holds as long as it runs; with hostNetwork, all that it declares."""
    for container in lasting_containers(spec):
        for port in container.ports:
            number = port.hostPort or (port.containerPort if spec.hostNetwork else 0)
            if number:
                yield HostPort(port.protocol or "TCP", port.hostIP or EVERY_ADDRESS, number)


def collides(port: HostPort, used: Iterable[HostPort]) -> bool:
    """Whether a port cannot be had beside those that are used."""
    same = (other.ip for other in used if (other.protocol, other.port) == (port.protocol, port.port))
    return is_address_taken(port.ip, same)


def is_address_taken(ip: str, used: Iterable[str]) -> bool:
    """Whether an address cannot be had for a port that is used on these addresses; 0.0.0.0 is every address."""
    taken = tuple(used)
    return bool(taken) and (ip == EVERY_ADDRESS or _includes(taken, ip))


def _includes(taken: Container[str], ip: str) -> bool:
    return ip in taken or EVERY_ADDRESS in taken


# --- resources


def read_allocatable(texts: Mapping[str, str]) -> dict[str, int]:
    """Read a node's amounts: cpu in thousandths, everything else in whole units.

    Raises:
        ValueError: one of them is no quantity.
    """
    return {
        name: quantity.cpu_millicores(text) if name == CPU else quantity.memory_bytes(text)
        for name, text in texts.items()
    }


def requests_by_name(amounts: PodRequests) -> dict[str, int]:
    """Return what a pod requests under the names that a node's amounts have."""
    return {
        CPU: amounts.cpu_millicores,
        MEMORY: amounts.memory_bytes,
        EPHEMERAL_STORAGE: amounts.ephemeral_bytes,
        **amounts.extended,
    }


def is_short(wanted: int, used: int, whole: int) -> bool:
    """Whether an amount is not free; who wants nothing is never short of it."""
    return wanted > 0 and wanted > whole - used
