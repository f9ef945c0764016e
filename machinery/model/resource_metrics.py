"""metrics.k8s.io/v1beta1: what nodes and pods use, by the minute. Nothing of it is stored.

https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/#metrics-api
The group is none of Kubernetes' own API, so that its schemas are not among the published ones: they stand here.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.kinds import KindNames
from machinery.model.resources import Resource, resource_of

GROUP: Final = "metrics.k8s.io"
VERSION: Final = "v1beta1"
WINDOW_S: Final = 15.0  # cluster seconds that an answer may be old, as metrics-server's --metric-resolution
_PACKAGE: Final = "io.k8s.metrics.pkg.apis.metrics.v1beta1."
_READ: Final = ("get", "list")


def _names(kind: str, plural: str, *, namespaced: bool) -> KindNames:
    return KindNames(
        GROUP, VERSION, kind, plural, plural.removesuffix("s"), _PACKAGE + kind, namespaced, verbs=_READ
    )


NODE_METRICS: Final = _names("NodeMetrics", "nodes", namespaced=False)
POD_METRICS: Final = _names("PodMetrics", "pods", namespaced=True)


class ContainerMetrics(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a container uses."""

    name: str = ""
    usage: dict[str, str] = {}  # quantities, by resource


class PodMetrics(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the containers of a pod used in a window that ended at a time."""

    apiVersion: str = f"{GROUP}/{VERSION}"
    kind: str = "PodMetrics"
    metadata: ObjectMeta = ObjectMeta()
    timestamp: str | None = None
    window: str = ""  # a duration as Go writes it
    containers: list[ContainerMetrics] = []


PODS: Final[Resource[PodMetrics]] = resource_of(POD_METRICS, PodMetrics)


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_USAGE: Final = {
    "description": "How much of each resource is used.",
    "type": "object",
    "additionalProperties": _reference("io.k8s.apimachinery.pkg.api.resource.Quantity"),
}
_WHEN: Final = {
    "timestamp": {**_reference(f"{_META}Time"), "description": "When the window ended."},
    "window": {
        "type": "string",
        "description": "How long it was.",
    },  # metav1.Duration, which no published kind has
}


def _schema(kind: str, description: str, own: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "type": "object",
        "required": ["timestamp", "window", *own],
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of this form of the object."},
            "kind": {"type": "string", "description": "What kind of object this is."},
            "metadata": _reference(f"{_META}ObjectMeta"),
            **_WHEN,
            **own,
        },
        "x-kubernetes-group-version-kind": [{"group": GROUP, "version": VERSION, "kind": kind}],
    }


DEFINITIONS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "NodeMetrics": {
        NODE_METRICS.definition: _schema("NodeMetrics", "What a node uses.", {"usage": _USAGE}),
    },
    "PodMetrics": {
        POD_METRICS.definition: _schema(
            "PodMetrics",
            "What the containers of a pod use.",
            {"containers": {"type": "array", "items": _reference(f"{_PACKAGE}ContainerMetrics")}},
        ),
        f"{_PACKAGE}ContainerMetrics": {
            "description": "What a container uses.",
            "type": "object",
            "required": ["name", "usage"],
            "properties": {"name": {"type": "string", "default": ""}, "usage": _USAGE},
        },
    },
}
"""The schemas that come with each kind, by their names."""
