"""Which priority level a request belongs to, and what its flow is."""

from __future__ import annotations

import pytest

from apiserver.core.flow.levels import LEVELS, shares_of
from apiserver.core.flow.schemas import classify
from apiserver.request import Request, UserInfo

AUTH = "system:authenticated"


def asked(name: str, *groups: str, resource: str = "pods", group: str = "", namespace: str = "a") -> Request:
    """Write a request."""
    user = UserInfo(name, groups=groups)
    return Request(user=user, verb="update", resource=resource, group=group, namespace=namespace)


LEASE = {"resource": "leases", "group": "coordination.k8s.io", "namespace": "kube-system"}


@pytest.mark.parametrize(
    ("request_", "level", "key"),
    [
        (asked("admin", "system:masters", AUTH), "exempt", ""),
        (asked("system:kube-scheduler", AUTH, **LEASE), "leader-election", "system:kube-scheduler"),
        (asked("system:kube-scheduler", AUTH), "workload-high", "system:kube-scheduler/a"),
        (asked("system:kube-controller-manager", AUTH), "workload-high", "system:kube-controller-manager/a"),
        (asked("system:node:n", "system:nodes", AUTH, **LEASE), "node-high", "system:node:n"),
        (asked("system:node:n", "system:nodes", AUTH, resource="nodes"), "node-high", "system:node:n"),
        (asked("system:node:n", "system:nodes", AUTH), "system", "system:node:n"),
        (asked("system:serviceaccount:kube-system:x", AUTH), "workload-high", "system:serviceaccount:kube-system:x/a"),
        (asked("system:serviceaccount:kube-system:x", AUTH, **LEASE), "leader-election", "system:serviceaccount:kube-system:x"),
        (asked("system:serviceaccount:b:x", AUTH), "workload-low", "system:serviceaccount:b:x"),
        (asked("system:serviceaccount:b:x", AUTH, **LEASE), "workload-low", "system:serviceaccount:b:x"),
        (asked("jane", AUTH, **LEASE), "global-default", "jane"),
        (asked("system:anonymous", "system:unauthenticated"), "global-default", "system:anonymous"),
        (asked("a-ghost"), "catch-all", "a-ghost"),
    ],
)  # fmt: skip
def test_a_request_belongs_to_a_level(request_: Request, level: str, key: str) -> None:
    """By who asks, and what for."""
    flow = classify(request_.user, request_)
    assert (flow.level, flow.key) == (level, key)


@pytest.mark.parametrize("total", [1, 60, 600])
def test_every_level_has_seats_of_its_own(total: int) -> None:
    """And its share of all."""
    shares = shares_of(total)
    assert set(shares) == {level.name for level in LEVELS}
    assert all(1 <= share.own <= share.nominal for share in shares.values())
    assert sum(share.nominal for share in shares.values()) < total + len(LEVELS)
    if total == 600:
        assert shares["node-high"] == (98, 74)
