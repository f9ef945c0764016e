"""secret: the keys of a Secret as files, in memory where the node can."""

from __future__ import annotations

from collections.abc import Iterable

from kubelet.core.volumes import Payload, keyed_files
from kubelet.volumes.sources import Sources
from machinery.model.k8s.core_v1 import KeyToPath, Pod


async def files(
    sources: Sources,
    pod: Pod,
    name: str,
    items: Iterable[KeyToPath],
    *,
    mode: int | None,
    optional: bool,
) -> Payload:
    """Give the files; none for an optional Secret that is not there.

    Raises:
        VolumeProblem: it is not there, or cannot be read.
        ValueError: a chosen key is not there.
    """
    data = await sources.secret(pod, name, optional=optional)
    missing = "references non-existent secret key"
    return keyed_files(data, items, mode=mode, optional=optional, missing=missing)
