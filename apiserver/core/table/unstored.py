"""The tables of what has no kind in the catalogue, by apiVersion and kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from apiserver.core.table.components import COMPONENT_STATUSES
from apiserver.core.table.metrics import NODE_METRICS, POD_METRICS
from apiserver.core.table.table import Table
from apiserver.core.table.workloads import SCALES

UNSTORED: Final[Mapping[tuple[str, str], Table]] = {
    ("autoscaling/v1", "Scale"): SCALES,
    ("v1", "ComponentStatus"): COMPONENT_STATUSES,
    ("metrics.k8s.io/v1beta1", "NodeMetrics"): NODE_METRICS,
    ("metrics.k8s.io/v1beta1", "PodMetrics"): POD_METRICS,
}
