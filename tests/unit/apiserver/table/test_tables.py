"""What kubectl prints of the other kinds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from apiserver.core.kinds import ALL
from apiserver.core.rules import PLAIN
from apiserver.core.table import Moment
from apiserver.core.table.ages import human_age, human_duration

NOW = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp()
TABLES = {(kind.group, kind.kind): kind.rules.table for kind in ALL}
META = {"name": "web", "creationTimestamp": "2025-01-01T11:59:00Z"}
TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:2"}]}}


def row(group: str, kind: str, **obj: Any) -> list[Any]:
    return TABLES[group, kind].row({"metadata": META, **obj}, Moment(NOW))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0.4, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_060, "3h21m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (180_000, "2d2h"),
        (8 * 86_400, "8d"),
        (730 * 86_400, "2y"),
        (800 * 86_400, "2y70d"),
        (9 * 365 * 86_400, "9y"),
    ],
)
def test_durations(seconds: float, text: str):
    """Ages have the precision that users know."""
    assert human_duration(seconds) == text


def test_an_age_that_makes_no_sense():
    """A timestamp that is none does not break the table."""
    assert human_age(NOW, "yesterday") == "<invalid>"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.kind)
def test_every_kind_is_printed_even_when_empty(kind: Any):
    """An object without anything gets a cell for each column."""
    table = kind.rules.table
    empty = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
    assert len(table.row(empty, Moment(NOW))) == len(table.columns)


def test_a_deployment():
    """READY, UP-TO-DATE, AVAILABLE, and the wide columns."""
    cells = row(
        "apps",
        "Deployment",
        spec={"replicas": 3, "template": TEMPLATE, "selector": {"matchLabels": {"app": "web"}}},
        status={"readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2},
    )
    assert cells == ["web", "2/3", 1, 2, "60s", "a,b", "x:1,y:2", "app=web"]


@pytest.mark.parametrize(
    ("labels", "spec", "conditions", "status", "roles"),
    [
        ({}, {}, [{"type": "Ready", "status": "True"}], "Ready", "<none>"),
        (
            {},
            {"unschedulable": True},
            [{"type": "Ready", "status": "Unknown"}],
            "NotReady,SchedulingDisabled",
            "<none>",
        ),
        ({"node-role.kubernetes.io/control-plane": ""}, {}, [], "Unknown", "control-plane"),
        ({"kubernetes.io/role": "a", "node-role.kubernetes.io/b": ""}, {}, [], "Unknown", "a,b"),
    ],
)
def test_a_node(labels: dict, spec: dict, conditions: list, status: str, roles: str):
    """STATUS and ROLES come from conditions and labels."""
    cells = row("", "Node", metadata={**META, "labels": labels}, spec=spec, status={"conditions": conditions})
    assert cells[1:3] == [status, roles]


@pytest.mark.parametrize(
    ("spec", "cluster_ip", "external", "ports"),
    [
        (
            {"type": "ClusterIP", "clusterIP": "10.96.0.7", "ports": [{"port": 80, "protocol": "TCP"}]},
            "10.96.0.7",
            "<none>",
            "80/TCP",
        ),
        (
            {"type": "NodePort", "clusterIPs": ["10.96.0.7"], "ports": [{"port": 80, "nodePort": 30080}]},
            "10.96.0.7",
            "<none>",
            "80:30080/TCP",
        ),
        ({"type": "LoadBalancer", "clusterIP": "10.96.0.7"}, "10.96.0.7", "<pending>", "<none>"),
        ({"type": "ExternalName", "externalName": "a.b"}, "<none>", "a.b", "<none>"),
        ({"type": "ClusterIP", "clusterIP": "None", "externalIPs": ["1.2.3.4"]}, "None", "1.2.3.4", "<none>"),
    ],
)
def test_a_service(spec: dict, cluster_ip: str, external: str, ports: str):
    """Addresses and ports as they are reached."""
    assert row("", "Service", spec=spec)[2:5] == [cluster_ip, external, ports]


def test_an_event():
    """The time, the object and the message are those of the last time it happened."""
    cells = row(
        "",
        "Event",
        type="Warning",
        reason="FailedScheduling",
        involvedObject={"kind": "Pod", "name": "web"},
        message="0/3 nodes are available\n",
        firstTimestamp="2025-01-01T11:00:00Z",
        lastTimestamp="2025-01-01T11:59:30Z",
        count=4,
        source={"component": "scheduler"},
    )
    assert cells == [
        "30s", "Warning", "FailedScheduling", "pod/web", "", "scheduler",
        "0/3 nodes are available", "60m", 4, "web",
    ]  # fmt: skip


def test_an_endpoint_slice_is_shortened():
    """What is too long for a line is counted."""
    endpoints = [{"addresses": [f"10.0.0.{number}"]} for number in range(5)]
    cells = row(
        "discovery.k8s.io", "EndpointSlice", addressType="IPv4", ports=[{"port": 80}], endpoints=endpoints
    )
    assert cells[1:4] == ["IPv4", "80", "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."]


def test_a_kind_without_a_table_of_its_own():
    """Name and time are always there."""
    assert PLAIN.table.row({"metadata": META}, Moment(NOW)) == ["web", "60s"]
