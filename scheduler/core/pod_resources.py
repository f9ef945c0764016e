"""What pods request and are limited to, as the scheduler counts it, for Prometheus: the page /metrics/resources.

https://kubernetes.io/docs/concepts/cluster-administration/system-metrics/#kube-scheduler-metrics
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import PodRequests, is_terminal, limits, requests

_TEXT: Final = (
    "for workloads on the cluster, broken down by pod. This shows the resource usage the scheduler and kubelet expect per pod "
    "for resources along with the unit for the resource if any."
)
_HEADS: Final = (
    ("kube_pod_resource_limit", f"Resources limit {_TEXT}"),
    ("kube_pod_resource_request", f"Resources requested {_TEXT}"),
)


class _Amounts(NamedTuple):
    """The ends of a pod's lines, from `resource` on: of its limits, of its requests."""

    limits: Sequence[str]
    requests: Sequence[str]


def resource_metrics(pods: Iterable[Pod]) -> str:
    """Return the amounts of pods that have not ended; what is 0 is left out. Pods of a template are added up once."""
    known: dict[int, _Amounts] = {}
    lines: tuple[list[str], list[str]] = ([], [])
    for pod in pods:
        if is_terminal(pod):
            continue
        spec, meta = pod.spec, pod.metadata
        amounts = known.get(id(spec.containers))
        if amounts is None:
            amounts = known[id(spec.containers)] = _Amounts(
                _ends(pod, limits(pod)), _ends(pod, requests(pod))
            )
        place = f'{{namespace="{meta.namespace}",node="{spec.nodeName or ""}",pod="{meta.name}",'
        for (name, _), own, ends in zip(_HEADS, lines, amounts, strict=True):
            own += [f"{name}{place}{end}" for end in ends]
    return "".join(_page(lines))


def _page(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    for (name, text), own in zip(_HEADS, lines, strict=True):
        yield f"# HELP {name} [STABLE] {text}\n# TYPE {name} gauge\n"
        yield from own


def _ends(pod: Pod, amounts: PodRequests) -> list[str]:
    priority = "" if pod.spec.priority is None else pod.spec.priority
    scheduler = pod.spec.schedulerName or ""
    return [
        f'priority="{priority}",resource="{name}",scheduler="{scheduler}",unit="{unit}"}} {number}\n'
        for name, number, unit in _numbers(amounts)
        if number
    ]


def _numbers(amounts: PodRequests) -> Iterator[tuple[str, float, str]]:
    yield "cpu", amounts.cpu_millicores / 1000, "cores"
    yield "ephemeral-storage", amounts.ephemeral_bytes, "bytes"
    yield "memory", amounts.memory_bytes, "bytes"
    for name, number in sorted(amounts.extended.items()):
        yield name, number, "bytes" if name.startswith("hugepages-") else "integer"
