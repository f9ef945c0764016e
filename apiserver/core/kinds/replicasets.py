"""ReplicaSet"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind, Subresource, own_status

REPLICA_SETS = Kind(
    group="apps",
    version="v1",
    plural="replicasets",
    singular="replicaset",
    kind="ReplicaSet",
    definition="io.k8s.api.apps.v1.ReplicaSet",
    namespaced=True,
    storage_prefix="/registry/replicasets",
    short_names=("rs",),
    categories=("all",),
    subresources={
        "status": own_status("ReplicaSet", "apps"),
        "scale": Subresource("Scale", "autoscaling", "v1", ("get", "patch", "update")),
    },
    counts_generation=True,
)
