"""How many pods of a PodDisruptionBudget may go: as its status says, else by its rule, as if all of its pods were healthy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from machinery.model.k8s.policy_v1 import PodDisruptionBudget
from machinery.model.selectors import from_selector
from scheduler.core.pod import PodInfo


def covers(budget: PodDisruptionBudget, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether a budget is about pods with such labels; those without labels are in none."""
    selector = budget.spec.selector
    if selector is None or budget.metadata.namespace != namespace or not labels:
        return False
    return from_selector(selector).matches(labels)


def disruptions_allowed(budget: PodDisruptionBudget, running: Iterable[PodInfo]) -> int:
    """Return how many of a budget's pods may go now."""
    if budget.status.disruptionsAllowed is not None:
        return budget.status.disruptionsAllowed
    spec = budget.spec
    pods = sum(covers(budget, each.namespace, each.labels.labels) for each in running)
    if spec.maxUnavailable is not None:
        return _scaled(spec.maxUnavailable, pods)
    return max(0, pods - _scaled(spec.minAvailable if spec.minAvailable is not None else 1, pods))


def _scaled(value: int | str, pods: int) -> int:
    """Return a number, or a share of the pods, rounded up."""
    if isinstance(value, int):
        return value
    return -(-int(value.removesuffix("%")) * pods // 100)
