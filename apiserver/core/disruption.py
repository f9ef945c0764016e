"""Whether a pod may be evicted: what its PodDisruptionBudget says, and what an eviction takes of it.

https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
The budget's controller counts; an eviction only takes from `status.disruptionsAllowed`, and notes the pod, so that the
controller knows of it before the pod is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from apiserver.core import labelselector
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause, Forbidden, InternalError, TooManyRequests

_MOST_DISRUPTED: Final = 2_000
_VIOLATES: Final = "Cannot evict pod as it would violate the pod's disruption budget."
_CAUSE: Final = "DisruptionBudget"
_ALLOWED: Final = "DisruptionAllowed"
_STILL_S: Final = 10  # wall seconds until a budget that was not counted yet may be asked again
_ENDED: Final = frozenset({"Succeeded", "Failed"})


def needs_budget(pod: Json) -> bool:
    """Whether an eviction of a pod disturbs anybody: not of one that has ended, does not run yet or is going anyway."""
    phase = (pod.get("status") or {}).get("phase", "")
    return phase not in _ENDED and phase != "Pending" and not metadata(pod).get("deletionTimestamp")


def may_become_ready(pod: Json) -> bool:
    """Whether a pod that needs no budget may come to need one while it is being evicted: it does not run yet."""
    return (pod.get("status") or {}).get("phase", "") not in _ENDED and not metadata(pod).get(
        "deletionTimestamp"
    )


def budget_of(budgets: Iterable[Json], pod: Json) -> Json | None:
    """Return the budget that a pod is under; None where there is none.

    Raises:
        InternalError: there is more than one.
    """
    labels = metadata(pod).get("labels") or {}
    found = [each for each in budgets if _selects(spec(each).get("selector"), labels)]
    if len(found) > 1:
        text = (
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
        raise InternalError(text)
    return found[0] if found else None


def with_eviction(budget: Json, pod: Json, now: str) -> Json:
    """Return a budget that the eviction of a pod has been taken of; the same where the eviction takes nothing.

    `now` is a metav1.Time.

    Raises:
        TooManyRequests: it allows no disruption now, or was not counted since it was changed.
        Forbidden: its status is none that could be counted with.
    """
    status, name = budget.get("status") or {}, metadata(budget)["name"]
    if not _is_ready(pod) and _lets_unready_go(budget, status):
        return budget
    if status.get("observedGeneration", 0) < metadata(budget).get("generation", 0):
        raise not_now(name)
    allowed, disrupted = status.get("disruptionsAllowed", 0), status.get("disruptedPods") or {}
    if allowed < 0:
        raise _forbidden(name, "pdb disruptions allowed is negative")
    if len(disrupted) > _MOST_DISRUPTED:
        raise _forbidden(
            name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        )
    if allowed == 0:
        raise TooManyRequests(_VIOLATES, causes=(Cause("", _why(name, status), _CAUSE),))
    taken = {**status, "disruptionsAllowed": allowed - 1}
    taken["disruptedPods"] = {**disrupted, metadata(pod)["name"]: now}
    if allowed == 1:
        taken["conditions"] = _none_left(status.get("conditions") or [], metadata(budget), now)
    return {**budget, "status": taken}


def not_now(name: str) -> TooManyRequests:
    """Refuse an eviction because what is known of the pod, or of its budget, has passed."""
    text = f"The disruption budget {name} is still being processed by the server."
    return TooManyRequests(_VIOLATES, causes=(Cause("", text, _CAUSE),), retry_after_s=_STILL_S)


def _selects(selector: Json | None, labels: Json) -> bool:
    return selector is not None and labelselector.matches(selector, labels)


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _lets_unready_go(budget: Json, status: Json) -> bool:
    """Whether a pod that is not ready may go without the budget: always, or while enough others are healthy."""
    if spec(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    return bool(healthy >= desired > 0)


def _why(name: str, status: Json) -> str:
    for condition in status.get("conditions") or ():
        is_failure = condition.get("status") == "False" and condition.get("reason") == "SyncFailed"
        if condition.get("type") == _ALLOWED and is_failure:
            return (
                f"The disruption budget {name} does not allow evicting pods currently because it failed sync: "
                f"{condition.get('message', '')}"
            )
    desired, current = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
    return f"The disruption budget {name} needs {desired} healthy pods and has {current} currently"


def _none_left(conditions: list[Json], meta: Json, now: str) -> list[Json]:
    before = next((each for each in conditions if each.get("type") == _ALLOWED), {})
    changed = now if before.get("status") != "False" else before.get("lastTransitionTime", now)
    fresh = {
        "type": _ALLOWED,
        "status": "False",
        "reason": "InsufficientPods",
        "message": "",
        "lastTransitionTime": changed,
        "observedGeneration": meta.get("generation", 0),
    }
    return [*(each for each in conditions if each.get("type") != _ALLOWED), fresh]


def _forbidden(name: str, why: str) -> Forbidden:
    return Forbidden(
        f'poddisruptionbudgets.policy "{name}" is forbidden: {why}',
        kind="poddisruptionbudgets",
        group="policy",
        name=name,
    )
