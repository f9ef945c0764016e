"""The laws of the architecture, looked at from outside a running cluster: what their tests share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubarium import Cluster
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.client.grpc_transport import connect_grpc
from machinery.client.rest_transport import connect_rest
from machinery.client.tls import ClientTls
from machinery.model.errors import ApiError
from machinery.process.clock import WALL


def pki(cluster: Cluster) -> Pki:
    """Return the cluster's certificates."""
    return Pki(cluster.layout.pki)


def client_of(cluster: Cluster, component: str) -> Path:
    """Name the certificate that may speak with a component."""
    names = {"etcd": "apiserver-etcd-client", "apiserver": "admin"}
    return pki(cluster).certificate(names.get(component, "apiserver-kubelet-client"))


def connections(cluster: Cluster, identity: str) -> list[Api]:
    """Open both doors with a certificate of the cluster."""
    keys = pki(cluster)
    tls = ClientTls(
        *(str(path) for path in (keys.certificate("ca"), keys.certificate(identity), keys.key(identity)))
    )
    addresses = cluster.addresses
    return [
        connect_grpc(f"127.0.0.1:{addresses.grpc_port}", tls, caller="test", clock=WALL),
        connect_rest(addresses.rest_url, tls, caller="test", clock=WALL),
    ]


async def refusals(
    cluster: Cluster, identity: str, ask: Callable[[Api], Awaitable[Any]]
) -> list[dict[str, Any]]:
    """Ask the same at both doors, and give the Status of each answer."""
    statuses = []
    for api in connections(cluster, identity):
        try:
            answer = await ask(api)
        except ApiError as error:
            statuses.append(error.to_status())
        else:
            pytest.fail(f"{identity} was given {answer!r}")
        finally:
            await api.aclose()
    return statuses


def typed(resource: Any, **fields: Any) -> Any:
    """Build an object."""
    return msgspec.convert(fields, resource.type)


def meta(name: str, namespace: str = "default", **fields: Any) -> dict[str, Any]:
    """Build an object's metadata."""
    return {"name": name, "namespace": namespace, **fields}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    """Build a pod of one sleeper."""
    script = "trap 'exit 0' TERM; sleep 3600 & wait"
    container = {"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", script]}
    return {"metadata": meta(name), "spec": {"containers": [container], **spec}}
