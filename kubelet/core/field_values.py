"""What a pod can be told about itself: fieldRef and resourceFieldRef.

https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from machinery.model import quantity
from machinery.model.k8s.core_v1 import Container, Pod, ResourceFieldSelector

_SUBSCRIPT: Final = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
_SHOWN: Final = 256  # characters of a path in a message
_FROM_NODE: Final = ("cpu", "memory", "ephemeral-storage")  # a missing limit is the node's allocatable


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a pod and its node, the first one first."""

    pod_ips: Sequence[str] = ()
    host_ips: Sequence[str] = ()


def field_value(pod: Pod, path: str, addresses: Addresses) -> str:
    """Return the text of a field.

    Raises:
        ValueError: there is no such field for pods to see.
    """
    if subscript := _SUBSCRIPT.fullmatch(path):
        meta = pod.metadata
        entries = meta.labels if subscript[1] == "labels" else meta.annotations
        return entries.get(subscript[2], "")
    if path not in _FIELDS:
        raise ValueError(f"unsupported fieldPath: {path[:_SHOWN]}")
    return _FIELDS[path](pod, addresses)


def resource_value(
    pod: Pod, container: Container, selector: ResourceFieldSelector, allocatable: Mapping[str, str]
) -> str:
    """Return a request or limit as a whole number of divisors, rounded up.

    Raises:
        ValueError: there is no such container or resource.
    """
    if selector.containerName:
        container = _container(pod, selector.containerName)
    which, _, resource = selector.resource.partition(".")
    if which not in {"limits", "requests"} or not resource:
        raise ValueError(f"unsupported container resource: {selector.resource}")
    amount = _amount(container, which, resource, allocatable)
    divisor = quantity.parse(selector.divisor or "1") or Fraction(1)
    return str(ceil(amount / divisor))


def format_map(entries: Mapping[str, str]) -> str:
    """Write labels or annotations one a line, sorted, the values quoted."""
    return "\n".join(f"{key}={_quoted(entries[key])}" for key in sorted(entries))


_FIELDS: Final[dict[str, Callable[[Pod, Addresses], str]]] = {
    "metadata.name": lambda pod, _: pod.metadata.name,
    "metadata.namespace": lambda pod, _: pod.metadata.namespace,
    "metadata.uid": lambda pod, _: pod.metadata.uid,
    "metadata.labels": lambda pod, _: format_map(pod.metadata.labels),
    "metadata.annotations": lambda pod, _: format_map(pod.metadata.annotations),
    "spec.nodeName": lambda pod, _: pod.spec.nodeName,
    "spec.serviceAccountName": lambda pod, _: pod.spec.serviceAccountName,
    "status.hostIP": lambda _, addresses: next(iter(addresses.host_ips), ""),
    "status.hostIPs": lambda _, addresses: ",".join(addresses.host_ips),
    "status.podIP": lambda _, addresses: next(iter(addresses.pod_ips), ""),
    "status.podIPs": lambda _, addresses: ",".join(addresses.pod_ips),
}


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _container(pod: Pod, name: str) -> Container:
    for container in (*pod.spec.containers, *pod.spec.initContainers):
        if container.name == name:
            return container
    raise ValueError(f"container {name} not found")


def _amount(container: Container, which: str, resource: str, allocatable: Mapping[str, str]) -> Fraction:
    declared = getattr(container.resources, which) if container.resources else {}
    amount = quantity.parse(declared.get(resource, "0"))
    if not amount and which == "limits" and resource in _FROM_NODE:
        return quantity.parse(allocatable.get(resource, "0"))
    return amount
