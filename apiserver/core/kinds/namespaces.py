"""Namespace"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind, Subresource, own_status

NAMESPACES = Kind(
    group="",
    version="v1",
    plural="namespaces",
    singular="namespace",
    kind="Namespace",
    definition="io.k8s.api.core.v1.Namespace",
    namespaced=False,
    storage_prefix="/registry/namespaces",
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources={
        "status": own_status("Namespace", ""),
        "finalize": Subresource("Namespace", "", "v1", ("update",)),
    },
)
