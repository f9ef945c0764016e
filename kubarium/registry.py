"""The cluster's image registry, as its users and their tools find it.

Tools that build and push images (Tilt, Skaffold, ctlptl) look for the ConfigMap `local-registry-hosting` in kube-public,
as KEP-1755 describes it and kind documents it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from kubarium.core.layout import Layout
from kubarium.core.spec import ClusterSpec
from kubarium.errors import KubariumError
from kubarium.waiting import connect
from machinery.model.errors import AlreadyExists, ApiError, NotFound
from machinery.model.k8s import core_v1, meta_v1
from machinery.model.resources import CONFIG_MAPS

_NAMESPACE, _NAME, _KEY = "kube-public", "local-registry-hosting", "localRegistryHosting.v1"
_HELP = "kubarium load IMAGE puts an image there"
_PATIENCE_S = 10.0


def announce(spec: ClusterSpec, layout: Layout[Path]) -> None:
    """Write where the registry is into the cluster, unless that is there or has no namespace. Idempotent.

    Raises:
        KubariumError: the apiserver refuses, or does not answer.
    """
    try:
        asyncio.run(_announce(spec, layout))
    except (ApiError, OSError) as error:
        raise KubariumError(
            f'cluster "{spec.name}" runs, but the ConfigMap {_NAMESPACE}/{_NAME} could not be written: {error}'
        ) from error


async def _announce(spec: ClusterSpec, layout: Layout[Path]) -> None:
    hosting = f"host: {_quoted(spec.registry)}\nhelp: {_quoted(_HELP)}\n"
    metadata = meta_v1.ObjectMeta(name=_NAME, namespace=_NAMESPACE)
    api = connect(spec, layout)
    try:
        await api.create(
            CONFIG_MAPS, core_v1.ConfigMap(metadata=metadata, data={_KEY: hosting}), timeout_s=_PATIENCE_S
        )
    except (AlreadyExists, NotFound):
        return
    finally:
        await api.aclose()


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
