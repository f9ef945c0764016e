"""Secret"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind

SECRETS = Kind(
    group="",
    version="v1",
    plural="secrets",
    singular="secret",
    kind="Secret",
    definition="io.k8s.api.core.v1.Secret",
    namespaced=True,
    storage_prefix="/registry/secrets",
)
