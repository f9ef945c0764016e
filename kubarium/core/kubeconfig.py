"""The administrator's kubeconfig."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any


def kubeconfig(
    cluster: str, urls: Mapping[str, str], *, authority: bytes, certificate: bytes, key: bytes
) -> dict[str, Any]:
    """Return a kubeconfig that carries everything in itself, so that it can be copied and merged.

    `urls` are the apiservers' REST doors by their names. A kubeconfig has no list of servers to choose from: the
    current context is the first one, and each further one has a context of its own, "kubarium@apiserver-2". The PEM
    bytes are the cluster's authority and the user's certificate and key.
    """
    main = cluster if cluster.startswith("kubarium") else f"kubarium-{cluster}"
    contexts = {
        main if not number else f"{main}@{name}": url for number, (name, url) in enumerate(urls.items())
    }
    trust = {"certificate-authority-data": _text(authority)}
    user = {"client-certificate-data": _text(certificate), "client-key-data": _text(key)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, **trust}} for name, url in contexts.items()],
        "users": [{"name": f"{main}-admin", "user": user}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": f"{main}-admin"}} for name in contexts
        ],
        "current-context": main,
    }


def _text(data: bytes) -> str:
    return b64encode(data).decode()
