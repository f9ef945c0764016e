"""Where requests go in Kubernetes' REST API, and how their options are written."""

from __future__ import annotations

import socket
from typing import Any

from machinery.model.k8s import meta_v1
from machinery.model.requests import DeleteOptions, Selection
from machinery.model.resources import Resource


def path(resource: Resource[Any], namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Give the path of a collection, an object or its subresource."""
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
    tail = "".join(f"/{part}" for part in (name, subresource) if part)
    return f"{root}{scope}/{resource.plural}{tail}"


def query(selection: Selection, **options: str) -> dict[str, str]:
    """Write selectors and options as a query; what is empty is left out."""
    texts = {"labelSelector": selection.label_selector, "fieldSelector": selection.field_selector, **options}
    return {
        key: text
        for key, text in texts.items()
        if text not in {"", "0"} or (key == "resourceVersion" and text)
    }


def delete_options(options: DeleteOptions | None) -> meta_v1.DeleteOptions | None:
    """Write how to delete as the request's body."""
    if options is None:
        return None
    preconditions = meta_v1.Preconditions(uid=options.uid, resourceVersion=options.resource_version)
    return meta_v1.DeleteOptions(
        gracePeriodSeconds=options.grace_period_s,
        propagationPolicy=options.propagation_policy,
        preconditions=preconditions if options.uid or options.resource_version else None,
    )


def kept_alive_socket(info: tuple[Any, ...]) -> socket.socket:
    """Open a socket that notices a vanished peer within 15 s."""
    family, kind, protocol, _, _ = info
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3)):
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 15_000)
    return made
