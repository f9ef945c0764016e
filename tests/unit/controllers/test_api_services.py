"""Which kinds of other servers are watched, and which servers are away."""

from __future__ import annotations

from typing import Any

from controllers.core.api_services import (
    ApiService,
    ApiServiceSpec,
    ApiServiceStatus,
    Condition,
    kinds_of,
    unavailable,
)
from machinery.client.api import Discovered

VERBS = ["get", "list", "watch", "delete"]


def service(group: str, status: str | None, **spec: Any) -> ApiService:
    """Return an APIService."""
    conditions = [] if status is None else [Condition(type="Available", status=status)]
    own = ApiServiceSpec(group=group, version="v1", **spec)
    return ApiService(spec=own, status=ApiServiceStatus(conditions=conditions))


def test_a_server_that_does_not_say_what_it_serves_is_away() -> None:
    """Also one that nobody has looked at yet; what the apiserver serves itself is always there."""
    remote: dict[str, Any] = {"service": {"name": "a"}}
    services = (
        service("c", "False", **remote),
        service("a", None, **remote),
        service("b", "True", **remote),
        service("d", "False"),
    )
    assert unavailable(services) == ("a/v1", "c/v1")


def test_kinds_that_can_be_listed_watched_and_deleted_are_watched() -> None:
    """No subresources, and no reviews."""
    found = kinds_of(
        [
            Discovered("toys", "Toy", namespaced=True, verbs=VERBS),
            Discovered("toys/status", "Toy", namespaced=True, verbs=VERBS),
            Discovered("metrics", "Metric", namespaced=True, verbs=["get", "list"]),
            Discovered("boxes", "Box", verbs=VERBS),
            Discovered("nameless", verbs=VERBS),
        ],
        "example.com",
        "v1",
    )
    assert [(str(each), each.version, each.kind, each.namespaced) for each in found] == [
        ("toys.example.com", "v1", "Toy", True),
        ("boxes.example.com", "v1", "Box", False),
    ]
