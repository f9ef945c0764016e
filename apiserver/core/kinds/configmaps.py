"""ConfigMap"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind

CONFIG_MAPS = Kind(
    group="",
    version="v1",
    plural="configmaps",
    singular="configmap",
    kind="ConfigMap",
    definition="io.k8s.api.core.v1.ConfigMap",
    namespaced=True,
    storage_prefix="/registry/configmaps",
    short_names=("cm",),
)
