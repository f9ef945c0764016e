"""What is counted of autoscalers on /metrics.

Metrics of one autoscaler are asked for together: what the computation of one took is what all of them took until it was over.
https://kubernetes.io/docs/reference/instrumentation/metrics/
"""

from __future__ import annotations

from typing import Final

from controllers.core.actions import Metric, Sync

NONE: Final = "none"
SPEC: Final = "spec"  # an error that the autoscaler's own spec is the cause of
INTERNAL: Final = "internal"
_BUCKETS_S: Final = tuple(0.001 * 2**power for power in range(15))
_PREFIX: Final = "horizontal_pod_autoscaler_controller"
_LABELS: Final = ("action", "error")
_METRIC_LABELS: Final = (*_LABELS, "metric_type")
RECONCILIATIONS: Final = Metric(f"{_PREFIX}_reconciliations_total", "Turns of autoscalers", _LABELS)
RECONCILIATION_DURATION: Final = Metric(
    f"{_PREFIX}_reconciliation_duration_seconds", "Seconds that a turn took", _LABELS, _BUCKETS_S
)
COMPUTATIONS: Final = Metric(
    f"{_PREFIX}_metric_computation_total", "Metrics that were computed", _METRIC_LABELS
)
COMPUTATION_DURATION: Final = Metric(
    f"{_PREFIX}_metric_computation_duration_seconds",
    "Seconds that the computation of a metric took",
    _METRIC_LABELS,
    _BUCKETS_S,
)


def of_turn(current: int, desired: int, error: str) -> Sync:
    """Return what a turn is counted as; a Scale that refuses to be changed is an error of its own."""
    values = (action(current, desired), error)
    return Sync(
        RECONCILIATIONS, RECONCILIATION_DURATION, values, (NONE, INTERNAL if error == NONE else error)
    )


def of_metric(metric_type: str, current: int, wanted: int, error: str) -> Sync:
    """Return what the computation of a metric is counted as."""
    acts = action(current, wanted) if error == NONE else NONE
    return Sync(COMPUTATIONS, COMPUTATION_DURATION, (acts, error, metric_type))


def action(current: int, wanted: int) -> str:
    """Return what becomes of so many pods."""
    return "scale_up" if wanted > current else "scale_down" if wanted < current else NONE
