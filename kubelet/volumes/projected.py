"""projected: several sources in one folder; among them the token of the pod's ServiceAccount."""

from __future__ import annotations

from collections.abc import Mapping

from kubelet.core.field_values import Addresses
from kubelet.core.volumes import (
    DEFAULT_MODE,
    TOKEN_MODE,
    File,
    Payload,
    Room,
    downward_files,
    fs_group,
    owner_of_files,
)
from kubelet.volumes.keyed import config_map_files, secret_files
from kubelet.volumes.problem import VolumeProblem
from kubelet.volumes.sources import Sources
from machinery.model.k8s.core_v1 import (
    Pod,
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    VolumeProjection,
)


async def files(
    sources: Sources,
    pod: Pod,
    volume: ProjectedVolumeSource,
    *,
    addresses: Addresses,
    allocatable: Mapping[str, str],
    room: Room,
) -> Payload:
    """Return the files of all sources; of two with one path, the later source's.

    Raises:
        VolumeProblem: a source cannot be had, or is of a kind that is not built.
        ValueError: a chosen key or field is not there, or there is no room for all.
    """
    payload: Payload = {}
    for source in volume.sources:
        files = await _source_files(sources, pod, source, volume.defaultMode, addresses, allocatable)
        payload |= room.take(files)
    return payload


async def _source_files(
    sources: Sources,
    pod: Pod,
    source: VolumeProjection,
    mode: int | None,
    addresses: Addresses,
    allocatable: Mapping[str, str],
) -> Payload:
    if source.configMap:
        return await config_map_files(sources, pod, source.configMap, mode=mode)
    if source.secret:
        return await secret_files(sources, pod, source.secret, mode=mode)
    if source.downwardAPI:
        return downward_files(
            pod, source.downwardAPI.items, mode=mode, addresses=addresses, allocatable=allocatable
        )
    if source.serviceAccountToken:
        return await _token_file(sources, pod, source.serviceAccountToken, mode)
    raise VolumeProblem("projected volumes with a clusterTrustBundle or podCertificate are not built")


async def _token_file(
    sources: Sources, pod: Pod, source: ServiceAccountTokenProjection, mode: int | None
) -> Payload:
    token = await sources.token(pod, source)
    owner = owner_of_files(pod)
    private = owner is not None or fs_group(pod) is not None
    default = DEFAULT_MODE if mode is None else mode
    return {source.path: File(token.encode(), TOKEN_MODE if private else default, owner)}
