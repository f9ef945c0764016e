"""Service"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind, own_status

SERVICES = Kind(
    group="",
    version="v1",
    plural="services",
    singular="service",
    kind="Service",
    definition="io.k8s.api.core.v1.Service",
    namespaced=True,
    storage_prefix="/registry/services/specs",
    short_names=("svc",),
    categories=("all",),
    subresources={"status": own_status("Service", "")},
)
