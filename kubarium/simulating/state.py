"""The state of a cluster that runs, as the objects that decisions look at: taken through its apiserver, and saved."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from kubarium.core.layout import Layout
from kubarium.core.simulating.manifests import Item, Place
from kubarium.core.spec import ClusterSpec
from kubarium.errors import KubariumError
from kubarium.waiting import connect
from machinery.client.api import Api
from machinery.client.kubeconfig import read_kubeconfig
from machinery.client.rest_transport import Token, connect_rest
from machinery.client.tls import ClientTls
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s import served
from machinery.model.kinds import KindNames
from machinery.model.resources import KubeObject, Resource, resource_of
from machinery.process.clock import WALL

_PATIENCE_S: Final = 60.0  # wall seconds for one answer
_KINDS: Final = (
    served.NODES, served.PODS, served.NAMESPACES, served.SERVICES, served.REPLICA_SETS, served.PERSISTENT_VOLUMES,
    served.PERSISTENT_VOLUME_CLAIMS, served.STORAGE_CLASSES, served.CSI_DRIVERS, served.CSI_NODES, served.CSI_STORAGE_CAPACITIES,
    served.RESOURCE_CLAIMS, served.DEVICE_CLASSES, served.RESOURCE_SLICES, served.PRIORITY_CLASSES, served.RUNTIME_CLASSES, served.POD_DISRUPTION_BUDGETS,
)  # fmt: skip
_OF_CONTAINERS: Final = ("args", "command", "env", "envFrom")  # nothing for decisions, and maybe secret


def of_cluster(spec: ClusterSpec, layout: Layout[Path]) -> list[Item]:
    """Return the state of a cluster of ours.

    Raises:
        KubariumError: its apiserver does not answer.
    """
    return _taken(spec.name, partial(connect, spec, layout))


def of_kubeconfig(file: str) -> list[Item]:
    """Return the state of the cluster that a kubeconfig's current context means.

    Raises:
        KubariumError: the kubeconfig cannot be used, or nobody answers there.
    """
    try:
        found = read_kubeconfig(file)
    except LookupError as error:
        raise KubariumError(str(error)) from error

    def connected() -> Api:
        by_token = Token(found.token_file, found.ca_file, server_name=found.server_name)
        by_certificate = ClientTls(found.ca_file, found.cert_file, found.key_file, found.server_name)
        credentials = by_token if found.token_file else by_certificate
        return connect_rest(found.server, credentials, caller="kubarium", clock=WALL)

    return _taken(file, connected)


def save(items: Iterable[Item], path: str) -> None:
    """Write objects to a file, as a List in JSON (which is YAML), an object a line; only its owner may read it.

    Commands, arguments and environments of containers are left out.

    Raises:
        KubariumError: it cannot be written.
    """
    lines = ",\n".join(json.dumps(each.obj, separators=(",", ":")) for each in items)
    new = Path(f"{path}.new")
    try:
        new.touch(mode=0o600)
        new.write_text(f'{{"apiVersion":"v1","kind":"List","items":[\n{lines}\n]}}\n')
        new.replace(path)
    except OSError as error:
        raise KubariumError(f"{path}: {error.strerror or error}") from error


def _taken(name: str, connected: Callable[[], Api]) -> list[Item]:
    try:
        return asyncio.run(_take(name, connected))
    except (TimeoutError, OSError, ApiError) as error:
        raise KubariumError(f'cluster "{name}" does not say what its state is: {error}') from error


async def _take(name: str, connected: Callable[[], Api]) -> list[Item]:
    api = connected()
    try:
        return [
            Item(Place(name, number, at), obj)
            for number, kind in enumerate(_KINDS, 1)
            for at, obj in enumerate(await _list(api, kind))
        ]
    finally:
        await api.aclose()


async def _list(api: Api, names: KindNames) -> list[dict[str, Any]]:
    """Return all objects of a kind, as JSON has them; none where the cluster does not have the kind."""
    resource: Resource[Any] = resource_of(names, cast("type[KubeObject]", dict))
    try:
        items = (await api.list(resource, timeout_s=_PATIENCE_S)).items
    except NotFound:
        return []
    return [{**_essential(each), "apiVersion": resource.api_version, "kind": resource.kind} for each in items]


def _essential(obj: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    spec = obj.get("spec")
    if not isinstance(spec, dict) or "containers" not in spec:
        return {**obj, "metadata": meta}
    without = {
        field: [_without(each) for each in spec[field]]
        for field in ("containers", "initContainers", "ephemeralContainers")
        if field in spec
    }
    return {**obj, "metadata": meta, "spec": {**spec, **without}}


def _without(container: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in container.items() if key not in _OF_CONTAINERS}
