"""ServiceAccount: every pod runs as one, and finds its token, the cluster's CA and its namespace mounted.

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#serviceaccount-admission-controller
"""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import (
    Attributes,
    LookedUp,
    LookupKey,
    Plugin,
    Settings,
    about,
    forbidden,
)
from apiserver.core.podspec.annotations import MIRROR
from apiserver.core.values import Json, metadata, spec
from machinery.model.k8s import served

MOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX: Final = "kube-api-access-"
TOKEN_LIFETIME_S: Final = (
    3607  # an hour, and a few seconds by which it is told from one that a user asked for
)


def _applies(attributes: Attributes, obj: Json | None, old: Json | None) -> bool:
    return not attributes.subresource and obj is not None and attributes.creates(old)


def is_mirror(pod: Json) -> bool:
    """Whether a pod only shows what a kubelet runs from its own files."""
    return MIRROR in (metadata(pod).get("annotations") or {})


def _account(pod: Json) -> str:
    return spec(pod).get("serviceAccountName") or "default"


def _key(attributes: Attributes, pod: Json) -> LookupKey:
    return ("", served.SERVICE_ACCOUNTS.plural, attributes.namespace, _account(pod))


def _needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    if obj is None or not _applies(attributes, obj, old) or is_mirror(obj):
        return ()
    return (_key(attributes, obj),)


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> Json:
    if not _applies(attributes, obj, old):
        return obj
    if is_mirror(obj):
        return _checked_mirror(attributes, obj)
    name = _account(obj)
    account = looked_up[_key(attributes, obj)]
    if account is None:
        where = f"{attributes.namespace}/{name}"
        text = f'error looking up service account {where}: serviceaccount "{name}" not found'
        raise forbidden(attributes, obj, text)
    own = {**spec(obj), "serviceAccountName": name, "serviceAccount": name}
    if not own.get("imagePullSecrets") and account.get("imagePullSecrets"):
        own["imagePullSecrets"] = [dict(secret) for secret in account["imagePullSecrets"]]
    return {**obj, "spec": _with_token(own, attributes.suffix) if _automounts(own, account) else own}


def _checked_mirror(attributes: Attributes, pod: Json) -> Json:
    if spec(pod).get("serviceAccountName"):
        raise forbidden(attributes, pod, "a mirror pod may not reference service accounts")
    for volume in spec(pod).get("volumes") or []:
        if "secret" in volume:
            raise forbidden(attributes, pod, "a mirror pod may not reference secrets")
        sources = (volume.get("projected") or {}).get("sources") or []
        if any("serviceAccountToken" in source for source in sources):
            text = "a mirror pod may not use ServiceAccountToken volume projections"
            raise forbidden(attributes, pod, text)
    return pod


def _automounts(pod_spec: Json, account: Json) -> bool:
    own = pod_spec.get("automountServiceAccountToken")
    return bool(own if own is not None else account.get("automountServiceAccountToken", True))


def _with_token(pod_spec: Json, suffix: str) -> Json:
    """Mount the token in every container that has nothing of its own at that path."""
    volumes = list(pod_spec.get("volumes") or [])
    existing = next((v["name"] for v in volumes if v.get("name", "").startswith(VOLUME_PREFIX)), "")
    name = existing or VOLUME_PREFIX + suffix
    result, added = dict(pod_spec), False
    for field in ("initContainers", "containers"):
        if field in result:
            mounted = [_mounted(container, name) for container in result[field]]
            added |= any(new is not old for new, old in zip(mounted, result[field], strict=True))
            result[field] = mounted
    if added and not existing:
        result["volumes"] = [*volumes, {"name": name, "projected": token_volume()}]
    return result


def _mounted(container: Json, volume: str) -> Json:
    mounts = container.get("volumeMounts") or []
    if any(mount.get("mountPath") == MOUNT_PATH for mount in mounts):
        return container
    mount = {"name": volume, "readOnly": True, "mountPath": MOUNT_PATH}
    return {**container, "volumeMounts": [*mounts, mount]}


def token_volume() -> Json:
    """Return the projected volume that makes a pod a client of the cluster."""
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_LIFETIME_S, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
        ],
        "defaultMode": 0o644,
    }


SERVICE_ACCOUNT: Final = Plugin("ServiceAccount", about(served.PODS), needs=_needs, admit=_admit)
