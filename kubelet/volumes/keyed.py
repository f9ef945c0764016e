"""configMap and secret: the keys of an object as files, alone in a volume or projected into one.

The two differ in where the data comes from and in the words of an error; a Secret's volume is in memory where the
node can (volumes.py).
"""

from __future__ import annotations

from kubelet.core.volumes import Payload, keyed_files
from kubelet.volumes.sources import Sources
from machinery.model.k8s.core_v1 import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    Pod,
    SecretProjection,
    SecretVolumeSource,
)


async def config_map_files(
    sources: Sources, pod: Pod, source: ConfigMapVolumeSource | ConfigMapProjection, *, mode: int | None
) -> Payload:
    """Return the files; none for an optional ConfigMap that is not there.

    Raises:
        VolumeProblem: it is not there, or cannot be read.
        ValueError: a chosen key is not there.
    """
    optional = bool(source.optional)
    data = await sources.config_map(pod, source.name, optional=optional)
    missing = "configmap references non-existent config key"  # Kubernetes' own words, which differ
    return keyed_files(data, source.items, mode=mode, optional=optional, missing=missing)


async def secret_files(
    sources: Sources, pod: Pod, source: SecretVolumeSource | SecretProjection, *, mode: int | None
) -> Payload:
    """Return the files; none for an optional Secret that is not there.

    Raises:
        VolumeProblem: it is not there, or cannot be read.
        ValueError: a chosen key is not there.
    """
    optional = bool(source.optional)
    name = source.secretName if isinstance(source, SecretVolumeSource) else source.name
    data = await sources.secret(pod, name, optional=optional)
    missing = "references non-existent secret key"
    return keyed_files(data, source.items, mode=mode, optional=optional, missing=missing)
