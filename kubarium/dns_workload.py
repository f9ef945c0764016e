"""Puts DNS into a cluster as a workload: `kubarium up --dns deployment`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from kubarium.core.dns_workload import DEPLOYMENT, NAMESPACE, REPLICAS, account, deployment, service, settings
from kubarium.core.layout import Layout
from kubarium.core.spec import ClusterSpec
from kubarium.errors import KubariumError
from kubarium.host.containers import load_images
from kubarium.host.docker_host import product_image
from kubarium.waiting import as_admin
from machinery.client.api import Api
from machinery.model.backoff import Backoff
from machinery.model.errors import AlreadyExists, NotFound, Unavailable
from machinery.model.insist import insist
from machinery.model.resources import CONFIG_MAPS, DEPLOYMENTS, NODES, SERVICE_ACCOUNTS, SERVICES, Resource
from machinery.process.clock import WALL

_PATIENCE_S: Final = 30.0
_REGISTERED_S: Final = 5.0
_LOOK_S: Final = 0.03
_BACKOFF: Final = Backoff(0.05, 0.5)  # wall seconds


def check_image(spec: ClusterSpec) -> None:
    """See to it that the nodes have the product's own image.

    Raises:
        KubariumError: the engine does not have it; the message says how it is made.
    """
    image = product_image()
    try:
        load_images([image], docker_socket=spec.docker_socket, registry=spec.registry)
    except KubariumError as error:
        raise KubariumError(f"{error} (`scripts/image` in a checkout builds {image})") from error


def deploy(spec: ClusterSpec, layout: Layout[Path]) -> None:
    """Create what DNS needs, and the Deployment; what is there stays as it is. Wait for the apiserver.

    Raises:
        KubariumError: the apiserver refuses, or does not answer in time.
    """
    problem = f'cluster "{spec.name}" runs, but the Deployment {NAMESPACE}/{DEPLOYMENT} could not be created'
    as_admin(spec, layout, lambda api: _create(api, len(spec.nodes)), _PATIENCE_S, problem)


async def _until_registered(api: Api, nodes: int) -> None:
    """Wait for nodes to be there, though not for long: a pod that finds none is tried again a second later only."""
    with suppress(TimeoutError):
        async with WALL.timeout_wall(_REGISTERED_S):
            while (
                len((await insist(lambda: api.list(NODES), WALL, _BACKOFF, on=(Unavailable,))).items) < nodes
            ):
                await WALL.sleep_wall(_LOOK_S)


async def _create(api: Api, nodes: int) -> None:
    wanted: tuple[tuple[Resource[Any], Any], ...] = (
        (SERVICE_ACCOUNTS, account()),
        (CONFIG_MAPS, settings()),
        (SERVICES, service()),
        (DEPLOYMENTS, deployment(nodes, product_image())),
    )
    for resource, manifest in wanted:
        if resource is DEPLOYMENTS:
            await _until_registered(api, min(nodes, REPLICAS))

        async def once(resource: Resource[Any] = resource, manifest: Any = manifest) -> None:
            with suppress(AlreadyExists):
                await api.create(resource, msgspec.convert(manifest, resource.type))

        # NotFound: the namespace is made while the first apiserver starts
        await insist(once, WALL, _BACKOFF, on=(Unavailable, NotFound))
