"""Which groups come first where clients look for a kind, and which version of each.

The numbers are Kubernetes' (`groupPriorityMinimum` and `versionPriority` of its own APIServices, v1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

GroupVersion: TypeAlias = tuple[str, str]


class Priority(NamedTuple):
    """Of a version of a group; the larger number comes first."""

    group: int
    version: int


_USUAL: Final = 15
FIRST: Final = Priority(20_000, 20_000)
"""Of the group of APIServices itself, which no APIService is about."""
CUSTOM: Final = Priority(1000, 100)
"""Of every version of a group of custom resources."""

_GROUPS: Final = {
    "apps": 17_800,
    "events.k8s.io": 17_750,
    "authentication.k8s.io": 17_700,
    "authorization.k8s.io": 17_600,
    "autoscaling": 17_500,
    "batch": 17_400,
    "certificates.k8s.io": 17_300,
    "networking.k8s.io": 17_200,
    "policy": 17_100,
    "rbac.authorization.k8s.io": 17_000,
    "storage.k8s.io": 16_800,
    "apiextensions.k8s.io": 16_700,
    "admissionregistration.k8s.io": 16_700,
    "scheduling.k8s.io": 16_600,
    "coordination.k8s.io": 16_500,
    "node.k8s.io": 16_300,
    "discovery.k8s.io": 16_200,
}
BUILT_IN: Final[Mapping[GroupVersion, Priority]] = {
    ("", "v1"): Priority(18_000, 1),
    **{(group, "v1"): Priority(number, _USUAL) for group, number in _GROUPS.items()},
    ("autoscaling", "v2"): Priority(17_500, 30),
    ("flowcontrol.apiserver.k8s.io", "v1"): Priority(16_100, 21),
    ("resource.k8s.io", "v1"): Priority(16_200, 20),
}
METRICS: Final[GroupVersion] = ("metrics.k8s.io", "v1beta1")
"""What metrics-server serves where it is installed, and this server itself where it is not."""
"""Of what a cluster serves without anybody's doing."""
OWN_GROUP: Final = "apiregistration.k8s.io"


def priority_of(group: str, version: str) -> Priority:
    """Return the priority of a version that this server serves itself."""
    if (group, version) == METRICS:
        return Priority(100, 100)  # as metrics-server's own
    return FIRST if group == OWN_GROUP else BUILT_IN.get((group, version), CUSTOM)
