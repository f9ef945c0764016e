"""Node"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind, own_status

NODES = Kind(
    group="",
    version="v1",
    plural="nodes",
    singular="node",
    kind="Node",
    definition="io.k8s.api.core.v1.Node",
    namespaced=False,
    storage_prefix="/registry/minions",
    short_names=("no",),
    subresources={"status": own_status("Node", "")},
    field_labels=frozenset({"metadata.name", "metadata.namespace", "spec.unschedulable"}),
)
