"""A call of a webhook, as its client configuration says: at a URL, or at a Service of the cluster.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#contacting-the-webhook
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from apiserver.admission.service_dialer import ServiceDialer
from apiserver.admission.web_client import CallFailed, Server, WebClient
from apiserver.core.values import Json

if TYPE_CHECKING:
    from apiserver.core.configured.kubeconfig import Credentials

AsWhom: TypeAlias = "Callable[[str], Credentials | None]"
"""Return as whom a server is called, by host:port; None: as nobody."""
_HTTPS: Final = 443


def as_nobody(_target: str) -> None:
    """Show nothing to any server."""


async def post(
    config: Json,
    body: bytes,
    timeout_s: float,
    client: WebClient,
    dialer: ServiceDialer,
    as_whom: AsWhom = as_nobody,
) -> bytes:
    """Post a document; returns what is answered within so many wall seconds.

    Raises:
        CallFailed: nobody answers, or not with success; the text has the URL.
    """
    server, host, path = _server(config, dialer)
    if credentials := as_whom(server.authority):
        server = replace(server, credentials=credentials)
    path = f"{path}{'&' if '?' in path else '?'}timeout={timeout_s:.0f}s"
    try:
        return await client.post(server, path, body, timeout_s)
    except CallFailed as error:
        raise CallFailed(f'Post "https://{host}{path}": {error}') from error


def _server(config: Json, dialer: ServiceDialer) -> tuple[Server, str, str]:
    """Return whom to call, its host as messages have it, and the path there."""
    try:
        ca = base64.b64decode(config.get("caBundle") or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise CallFailed(f"caBundle is not base64: {error}") from error
    if service := config.get("service"):
        port = int(service.get("port") or _HTTPS)
        server = dialer.server(str(service.get("namespace", "")), str(service.get("name", "")), port, ca)
        return server, server.authority, service.get("path") or "/"
    try:
        parts = urlsplit(str(config.get("url", "")))
        server = Server(parts.hostname or "", parts.port or _HTTPS, ca)
    except ValueError as error:
        raise CallFailed(f"the url is none: {error}") from error
    path = parts.path or "/"
    return server, parts.netloc, f"{path}?{parts.query}" if parts.query else path
