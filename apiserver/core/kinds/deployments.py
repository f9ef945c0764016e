"""Deployment"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind, Subresource, own_status

DEPLOYMENTS = Kind(
    group="apps",
    version="v1",
    plural="deployments",
    singular="deployment",
    kind="Deployment",
    definition="io.k8s.api.apps.v1.Deployment",
    namespaced=True,
    storage_prefix="/registry/deployments",
    short_names=("deploy",),
    categories=("all",),
    subresources={
        "status": own_status("Deployment", "apps"),
        "scale": Subresource("Scale", "autoscaling", "v1", ("get", "patch", "update")),
    },
    counts_generation=True,
)
