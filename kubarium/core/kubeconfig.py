"""The administrator's kubeconfig."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

_LISTS = ("clusters", "users", "contexts")


def kubeconfig(
    cluster: str, urls: Mapping[str, str], *, authority: bytes, certificate: bytes, key: bytes
) -> dict[str, Any]:
    """Return a kubeconfig that carries everything in itself, so that it can be copied and merged.

    `urls` are the apiservers' REST doors by their names. A kubeconfig has no list of servers to choose from: the
    current context is the first one, and each further one has a context of its own, "kubarium@apiserver-2". The PEM
    bytes are the cluster's authority and the user's certificate and key.
    """
    main = (
        cluster if cluster == "kubarium" else f"kubarium-{cluster}"
    )  # two clusters never have one name here
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


def bootstrap_kubeconfig(cluster: str, url: str, *, authority: bytes, token: str) -> dict[str, Any]:
    """Return the kubeconfig of nodes that have nothing but a token yet."""
    trust = {"certificate-authority-data": _text(authority), "tls-server-name": "apiserver"}
    user = "kubelet-bootstrap"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": url, **trust}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "bootstrap", "context": {"cluster": cluster, "user": user}}],
        "current-context": "bootstrap",
    }


def discovery_kubeconfig(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a kubeconfig what everybody may read: where the cluster is, and whom to trust there."""
    [entry] = content["clusters"]
    return {"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "", "cluster": entry["cluster"]}]}


def token_in(content: Mapping[str, Any]) -> str:
    """Return the token of such a kubeconfig."""
    return str(content["users"][0]["user"]["token"])


def merged(content: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a kubeconfig with a cluster's entries in it, its context the current one; entries of the same names go."""
    lists = {key: [*_others(content, own, key), *own[key]] for key in _LISTS}
    return {**content, **lists, "current-context": own["current-context"]}


def without(content: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a kubeconfig without a cluster's entries; where its context was the current one, none is."""
    lists = {key: _others(content, own, key) for key in _LISTS}
    current = content.get("current-context", "")
    is_own = any(current == each["name"] for each in own["contexts"])
    return {**content, **lists, "current-context": "" if is_own else current}


def _others(content: Mapping[str, Any], own: Mapping[str, Any], key: str) -> list[Any]:
    names = {each["name"] for each in own[key]}
    return [each for each in content.get(key) or [] if each.get("name") not in names]


def _text(data: bytes) -> str:
    return b64encode(data).decode()
