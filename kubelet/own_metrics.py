"""What a kubelet tells of itself on /metrics, by the names that Kubernetes' kubelet has for it.

https://kubernetes.io/docs/reference/instrumentation/metrics/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.core_v1 import ContainerState, Pod
from machinery.process.metrics import described, sample

_STATES: Final = ("created", "exited", "running")


@dataclass(frozen=True, slots=True)
class OwnMetrics:
    """Looks when it is asked; implements `machinery.process.metrics.Measured`."""

    node_name: str
    pods: Callable[[], Iterable[Pod]]
    client_ttl_s: Callable[[], float | None]
    renewal_errors: Callable[[], tuple[int, int]]  # of the client certificate, and of the serving one

    def lines(self) -> Iterator[str]:
        """Yield the lines in Prometheus' text format."""
        states = Counter(
            _state(each.state)
            for pod in self.pods()
            for each in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
        )
        running = sum(1 for pod in self.pods() if pod.status.phase == "Running")
        yield from _gauge(
            "kubelet_node_name", "The node's name. The count is always 1.", 1, node=self.node_name
        )
        yield from _gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", running)
        yield from described("kubelet_running_containers", "Number of containers by state", "gauge")
        for state in _STATES:
            yield sample("kubelet_running_containers", ("container_state",), (state,), states[state])
        if (ttl_s := self.client_ttl_s()) is not None:
            name = "kubelet_certificate_manager_client_ttl_seconds"
            yield from _gauge(
                name, "Seconds until the kubelet's client certificate expires, negative once it has.", ttl_s
            )
        of_client, of_server = self.renewal_errors()
        for name, errors in (
            ("kubelet_certificate_manager_client_expiration_renew_errors", of_client),
            ("kubelet_server_expiration_renew_errors", of_server),
        ):
            yield from described(name, "Counter of certificate renewal errors.", "counter")
            yield sample(name, (), (), errors)


def _gauge(name: str, text: str, number: float, **labels: str) -> Iterator[str]:
    yield from described(name, text, "gauge")
    yield sample(name, tuple(labels), tuple(labels.values()), number)


def _state(state: ContainerState | None) -> str:
    if state is None or state.waiting is not None:
        return "created"
    return "running" if state.running is not None else "exited"
