"""EndpointSlice"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind

ENDPOINT_SLICES = Kind(
    group="discovery.k8s.io",
    version="v1",
    plural="endpointslices",
    singular="endpointslice",
    kind="EndpointSlice",
    definition="io.k8s.api.discovery.v1.EndpointSlice",
    namespaced=True,
    storage_prefix="/registry/endpointslices",
)
