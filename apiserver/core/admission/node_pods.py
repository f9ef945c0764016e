"""The part of NodeRestriction about pods, and the tokens that a kubelet fetches for them."""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, LookupKey, Operation, forbidden
from apiserver.core.admission.service_account import is_mirror
from apiserver.core.podspec.annotations import MIRROR
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import NotFound
from machinery.model.k8s import served

PODS: Final = (served.PODS.group, served.PODS.plural)
ACCOUNTS: Final = (served.SERVICE_ACCOUNTS.group, served.SERVICE_ACCOUNTS.plural)
_REFERRING: Final = {
    "configMap": "configmaps",
    "secret": "secrets",
    "clusterTrustBundle": "clustertrustbundles",
    "persistentVolumeClaim": "persistentvolumeclaims",
}


def needs(attributes: Attributes, obj: Json | None, _old: Json | None) -> tuple[LookupKey, ...]:
    """Return the key of the pod that an eviction or a token is about, or of the node that a mirror pod is owned by."""
    name = ""
    if attributes.resource == PODS and attributes.subresource == "" and obj is not None:
        return tuple(
            _node_key(str(owner.get("name", "")))
            for owner in (metadata(obj).get("ownerReferences") or ())[:1]
        )
    if attributes.resource == PODS and attributes.subresource == "eviction":
        name = _evicted(attributes, obj or {})
    elif attributes.resource == ACCOUNTS and attributes.subresource == "token":
        name = (spec(obj or {}).get("boundObjectRef") or {}).get("name", "")
    return (_key(attributes, name),) if name else ()


def check(node: str, attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp) -> None:
    """Check what a kubelet does to a pod, except for deleting it.

    Raises:
        Forbidden: the pod is not its own, or the kubelet may not do this.
        NotFound: there is no such pod.
    """
    match attributes.subresource:
        case "":
            _check_create(node, attributes, obj, old, looked_up)
        case "status":
            _check_status(node, attributes, obj, old or {})
        case "eviction":
            pod = _looked_up(attributes, _evicted(attributes, obj), looked_up)
            if spec(pod).get("nodeName") != node:
                text = f"node {node} can only evict pods with spec.nodeName set to itself"
                raise forbidden(attributes, obj, text)
        case other:
            text = f"unexpected pod subresource \"{other}\", only 'status' and 'eviction' are allowed"
            raise forbidden(attributes, obj, text)


def check_delete(node: str, attributes: Attributes, pod: Json) -> None:
    """Check that a kubelet deletes only pods that are bound to it.

    Raises:
        Forbidden: it is another's.
    """
    if spec(pod).get("nodeName") != node:
        text = f'node "{node}" can only delete pods with spec.nodeName set to itself'
        raise forbidden(attributes, pod, text)


def check_token(
    node: str, attributes: Attributes, request: Json, _old: Json | None, looked_up: LookedUp
) -> None:
    """Check that a kubelet fetches only tokens that are bound to its pods, for the audiences that they name.

    Raises:
        Forbidden: the token is for something else.
        NotFound: there is no such pod.
    """
    if attributes.subresource != "token":
        return
    bound = spec(request).get("boundObjectRef") or {}
    if (bound.get("apiVersion"), bound.get("kind")) != ("v1", "Pod") or not bound.get("name"):
        raise forbidden(attributes, request, "node requested token not bound to a pod")
    uid = bound.get("uid", "")
    if not uid:
        raise forbidden(attributes, request, "node requested token with a pod binding without a uid")
    pod = _looked_up(attributes, bound["name"], looked_up)
    if metadata(pod).get("uid") != uid:
        text = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise forbidden(attributes, request, text)
    if spec(pod).get("nodeName") != node:
        text = "node requested token bound to a pod scheduled on a different node"
        raise forbidden(attributes, request, text)
    _check_audience(attributes, request, pod)


def _check_audience(attributes: Attributes, request: Json, pod: Json) -> None:
    asked = spec(request).get("audiences") or []
    if len(asked) > 1:
        raise forbidden(attributes, request, "node may only request 0 or 1 audiences")
    audience = asked[0] if asked else ""
    if audience not in _audiences(pod):
        raise forbidden(attributes, request, f'audience "{audience}" not found in pod spec volume')


def _audiences(pod: Json) -> set[str]:
    return {
        source["serviceAccountToken"].get("audience", "")
        for volume in spec(pod).get("volumes") or []
        for source in (volume.get("projected") or {}).get("sources") or []
        if "serviceAccountToken" in source
    }


def _check_create(
    node: str, attributes: Attributes, pod: Json, old: Json | None, looked_up: LookedUp
) -> None:
    if not attributes.creates(old):
        operation = Operation.UPDATE.value
        text = f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods'
        raise forbidden(attributes, pod, text)
    if not is_mirror(pod):
        text = f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
        raise forbidden(attributes, pod, text)
    if spec(pod).get("nodeName") != node:
        text = f'node "{node}" can only create pods with spec.nodeName set to itself'
        raise forbidden(attributes, pod, text)
    _check_owner(node, attributes, pod)
    _check_owner_uid(node, attributes, pod, looked_up)
    if what := _referred(pod):
        raise forbidden(attributes, pod, f'node "{node}" can not create pods that reference {what}')


def _check_owner(node: str, attributes: Attributes, pod: Json) -> None:
    owners = metadata(pod).get("ownerReferences") or []
    problem = ""
    if len(owners) > 1:
        problem = f'node "{node}" can only create pods with a single owner reference set to itself'
    elif not owners or _identity(owners[0]) != ("v1", "Node", node):
        problem = f'node "{node}" can only create pods with an owner reference set to itself'
    elif not owners[0].get("controller"):
        problem = f'node "{node}" can only create pods with a controller owner reference set to itself'
    elif owners[0].get("blockOwnerDeletion"):
        problem = f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    if problem:
        raise forbidden(attributes, pod, problem)


def _check_owner_uid(node: str, attributes: Attributes, pod: Json, looked_up: LookedUp) -> None:
    owner = metadata(pod)["ownerReferences"][0]
    found = looked_up[_node_key(node)]
    if found is None:
        raise NotFound(f'nodes "{node}" not found', kind="nodes", name=node)
    expected, uid = owner.get("uid", ""), metadata(found).get("uid", "")
    if expected != uid:
        text = f"node {node} UID mismatch: expected {expected} got {uid}"
        raise forbidden(attributes, pod, text)


def _node_key(node: str) -> LookupKey:
    return ("", "nodes", "", node)


def _identity(owner: Json) -> tuple[object, object, object]:
    return owner.get("apiVersion"), owner.get("kind"), owner.get("name")


def _referred(pod: Json) -> str:
    """Return what a pod reads from the API and its kubelet would get to see by creating it."""
    own = spec(pod)
    if own.get("serviceAccountName"):
        return "a service account"
    if own.get("imagePullSecrets"):
        return "secrets"
    for volume in own.get("volumes") or []:
        parts = [volume, *((volume.get("projected") or {}).get("sources") or [])]
        for field, what in _REFERRING.items():
            if any(field in part for part in parts):
                return what
    for container in (*(own.get("initContainers") or []), *(own.get("containers") or [])):
        if what := _referred_by_env(container):
            return what
    return ""


def _referred_by_env(container: Json) -> str:
    sources = [variable.get("valueFrom") or {} for variable in container.get("env") or []]
    sources += container.get("envFrom") or []
    for source in sources:
        if {"secretKeyRef", "secretRef"} & set(source):
            return "secrets"
        if {"configMapKeyRef", "configMapRef"} & set(source):
            return "configmaps"
    return ""


def _check_status(node: str, attributes: Attributes, pod: Json, old: Json) -> None:
    if spec(old).get("nodeName") != node:
        what = "can only update pod status for pods with spec.nodeName set to itself"
        raise forbidden(attributes, pod, f'node "{node}" {what}')
    if (metadata(old).get("labels") or {}) != (metadata(pod).get("labels") or {}):
        raise forbidden(attributes, pod, f'node "{node}" cannot update labels through pod status')
    claims = [(each.get("status") or {}).get("resourceClaimStatuses") or [] for each in (old, pod)]
    if claims[0] != claims[1]:
        raise forbidden(attributes, pod, f'node "{node}" cannot update resource claim statues')


def _evicted(attributes: Attributes, eviction: Json) -> str:
    return attributes.name or str(metadata(eviction).get("name", ""))


def _key(attributes: Attributes, name: str) -> LookupKey:
    return ("", "pods", attributes.namespace, name)


def _looked_up(attributes: Attributes, name: str, looked_up: LookedUp) -> Json:
    pod = looked_up[_key(attributes, name)]
    if pod is None:
        raise NotFound(f'pods "{name}" not found', kind="pods", name=name)
    return pod
