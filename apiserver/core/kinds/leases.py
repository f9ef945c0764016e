"""Lease"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind

LEASES = Kind(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    singular="lease",
    kind="Lease",
    definition="io.k8s.api.coordination.v1.Lease",
    namespaced=True,
    storage_prefix="/registry/leases",
)
