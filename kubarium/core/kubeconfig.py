"""The administrator's kubeconfig."""

from __future__ import annotations

from base64 import b64encode
from typing import Any


def kubeconfig(cluster: str, url: str, *, authority: bytes, certificate: bytes, key: bytes) -> dict[str, Any]:
    """Give a kubeconfig that carries everything in itself, so that it can be copied and merged.

    The PEM bytes are the cluster's authority and the user's certificate and key.
    """
    context = cluster if cluster.startswith("kubarium") else f"kubarium-{cluster}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": context,
                "cluster": {"server": url, "certificate-authority-data": _text(authority)},
            }
        ],
        "users": [
            {
                "name": f"{context}-admin",
                "user": {"client-certificate-data": _text(certificate), "client-key-data": _text(key)},
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": f"{context}-admin"}}],
        "current-context": context,
    }


def _text(data: bytes) -> str:
    return b64encode(data).decode()
