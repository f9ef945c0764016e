"""How a component does follows from the lease that its leader renews."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.component_health import lease_problem, status_of
from apiserver.core.table import Moment
from apiserver.core.table.components import COMPONENT_STATUSES
from machinery.model.k8s import served

HELD = {"holderIdentity": "scheduler-2", "leaseDurationSeconds": 15}


@pytest.mark.parametrize(
    ("spec", "age_s", "problem"),
    [
        (HELD, 0, ""),
        (HELD, 15, ""),
        (HELD, -5, ""),  # the other machine's clock is ahead
        (HELD, 16, "lease kube-system/kube-scheduler was renewed by scheduler-2 16s ago, the last time"),
        ({"leaseDurationSeconds": 15}, 0, "lease kube-system/kube-scheduler is held by nobody"),
        ({**HELD, "holderIdentity": ""}, 0, "lease kube-system/kube-scheduler is held by nobody"),
        (
            {"holderIdentity": "a"},
            1,
            "lease kube-system/kube-scheduler was renewed by a 1s ago, the last time",
        ),
        ({}, 0, "lease kube-system/kube-scheduler is held by nobody"),
    ],
)
def test_who_does_not_renew_a_lease_does_not_lead(spec: dict[str, Any], age_s: float, problem: str) -> None:
    """For as long as the lease itself says."""
    lease = {"metadata": {"name": "kube-scheduler", "namespace": "kube-system"}, "spec": spec}
    assert lease_problem(lease, 1000.0 - age_s, 1000.0) == problem


@pytest.mark.parametrize(
    ("problem", "cells"),
    [("", ["a", "Healthy", "ok", ""]), ("it is gone", ["a", "Unhealthy", "", "it is gone"])],
)
def test_a_status_is_a_row(problem: str, cells: list[str]) -> None:
    """In the words of `kubectl get cs`."""
    status = status_of(served.COMPONENT_STATUSES, "a", problem)
    assert COMPONENT_STATUSES.row(status, Moment(0)) == cells
