"""NodeRestriction: a kubelet touches its own node, its own lease, and the pods that are bound to it.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction
What it may do with pods and tokens is in `node_pods`. Which resources it may touch at all is authorization's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apiserver.core.admission import node_pods
from apiserver.core.admission.attributes import (
    Attributes,
    LookedUp,
    LookupKey,
    Operation,
    Plugin,
    Settings,
    forbidden,
)
from apiserver.core.values import Json, metadata, spec
from machinery.model.k8s import served

USER_PREFIX: Final = "system:node:"
GROUP: Final = "system:nodes"
LEASE_NAMESPACE: Final = "kube-node-lease"
_RESERVED: Final = "node-restriction.kubernetes.io"
_OWN_DOMAINS: Final = ("kubernetes.io", "k8s.io")
_OWN_LABELS: Final = frozenset(
    {
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    },
)
_OF_EACH_WRITE: Final = frozenset({"managedFields", "resourceVersion"})
_GROWTH: Final = frozenset({"allocatedResourceStatuses", "allocatedResources", "capacity", "conditions"})
_KUBELET_DOMAINS: Final = ("kubelet.kubernetes.io", "node.kubernetes.io")


def node_of(attributes: Attributes) -> str | None:
    """Return the node that a kubelet asks for; None where no kubelet asks."""
    user = attributes.user
    if not user.name.startswith(USER_PREFIX) or GROUP not in user.groups:
        return None
    return user.name.removeprefix(USER_PREFIX)


def _needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    if node_of(attributes) is None:
        return ()
    return node_pods.needs(attributes, obj, old)


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> Json:
    node = node_of(attributes)
    if node is not None:
        _check(node, attributes, obj, old, looked_up)
    return obj


def _check(node: str, attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp) -> None:
    if not node:
        raise forbidden(attributes, obj, f'could not determine node from user "{attributes.user.name}"')
    if check := _CHECKS.get(attributes.resource):
        check(node, attributes, obj, old, looked_up)


def _admit_delete(attributes: Attributes, old: Json, _looked_up: LookedUp) -> None:
    node = node_of(attributes)
    if node is None:
        return
    if not node:
        raise forbidden(attributes, old, f'could not determine node from user "{attributes.user.name}"')
    if check := _DELETE_CHECKS.get(attributes.resource):
        check(node, attributes, old)


def _check_is_own(node: str, attributes: Attributes, obj: Json) -> None:
    name = attributes.name or metadata(obj).get("name", "")
    if name != node:
        raise forbidden(attributes, obj, f'node "{node}" is not allowed to modify node "{name}"')


def _check_node(node: str, attributes: Attributes, obj: Json, old: Json | None, _looked_up: LookedUp) -> None:
    _check_is_own(node, attributes, obj)
    labels = metadata(obj).get("labels") or {}
    if attributes.operation is Operation.CREATE or old is None:
        if wrong := sorted(filter(is_forbidden_label, labels)):
            text = f"is not allowed to set the following labels: {', '.join(wrong)}"
            raise forbidden(attributes, obj, text)
        return
    if (spec(obj).get("taints") or []) != (spec(old).get("taints") or []):
        raise forbidden(attributes, obj, f'node "{node}" is not allowed to modify taints')
    if (metadata(obj).get("ownerReferences") or []) != (metadata(old).get("ownerReferences") or []):
        raise forbidden(attributes, obj, f'node "{node}" is not allowed to modify ownerReferences')
    before = metadata(old).get("labels") or {}
    changed = (key for key in {*labels, *before} if labels.get(key) != before.get(key))
    if wrong := sorted(filter(is_forbidden_label, changed)):
        raise forbidden(attributes, obj, f"is not allowed to modify labels: {', '.join(wrong)}")


def is_forbidden_label(key: str) -> bool:
    """Whether a label of a node is not the kubelet's to set: it could draw pods that are not for it."""
    domain = key.rpartition("/")[0]
    if _within(domain, _RESERVED):
        return True
    ours = any(_within(domain, own) for own in _OWN_DOMAINS)
    return ours and key not in _OWN_LABELS and not any(_within(domain, own) for own in _KUBELET_DOMAINS)


def _within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def _check_claim(
    node: str, attributes: Attributes, obj: Json, old: Json | None, _looked_up: LookedUp
) -> None:
    """Check that a kubelet writes of a claim only how large its volume has become."""
    if attributes.subresource != "status":
        raise forbidden(attributes, obj, "may only update PVC status")
    if _without_growth(obj) != _without_growth(old or {}):
        text = (
            f'node "{node}" is not allowed to update fields other than status.capacity and status.conditions'
        )
        raise forbidden(attributes, obj, text)


def _without_growth(claim: Json) -> Json:
    meta = {key: value for key, value in metadata(claim).items() if key not in _OF_EACH_WRITE}
    status = {key: value for key, value in (claim.get("status") or {}).items() if key not in _GROWTH}
    return {**claim, "metadata": meta, "status": status}


def _refuse_claim(_node: str, attributes: Attributes, obj: Json) -> None:
    raise forbidden(attributes, obj, "may only update PVC status")


def _check_csi_node(node: str, attributes: Attributes, obj: Json) -> None:
    if (attributes.name or metadata(obj).get("name", "")) != node:
        text = "can only access CSINode with the same name as the requesting node"
        raise forbidden(attributes, obj, text)


def _check_slice(node: str, attributes: Attributes, obj: Json) -> None:
    if spec(obj).get("nodeName") != node:
        text = "can only create or delete ResourceSlice with the same NodeName as the requesting node"
        raise forbidden(attributes, obj, text)


def _check_lease(node: str, attributes: Attributes, obj: Json) -> None:
    if attributes.namespace != LEASE_NAMESPACE:
        raise forbidden(
            attributes, obj, f'can only access leases in the "{LEASE_NAMESPACE}" system namespace'
        )
    if (attributes.name or metadata(obj).get("name", "")) != node:
        text = "can only access node lease with the same name as the requesting node"
        raise forbidden(attributes, obj, text)


_LEASES: Final = (served.LEASES.group, served.LEASES.plural)
_CLAIMS: Final = ("", "persistentvolumeclaims")
_CSI_NODES: Final = ("storage.k8s.io", "csinodes")
_SLICES: Final = ("resource.k8s.io", "resourceslices")
_NODES: Final = (served.NODES.group, served.NODES.plural)
_CHECKS: Final[dict[tuple[str, str], Callable[[str, Attributes, Json, Json | None, LookedUp], None]]] = {
    node_pods.PODS: node_pods.check,
    node_pods.ACCOUNTS: node_pods.check_token,
    _NODES: _check_node,
    _CLAIMS: _check_claim,
    _LEASES: lambda node, attributes, obj, _old, _looked_up: _check_lease(node, attributes, obj),
    _CSI_NODES: lambda node, attributes, obj, _old, _looked_up: _check_csi_node(node, attributes, obj),
    _SLICES: lambda node, attributes, obj, _old, _looked_up: _check_slice(node, attributes, obj),
}
_DELETE_CHECKS: Final[dict[tuple[str, str], Callable[[str, Attributes, Json], None]]] = {
    node_pods.PODS: node_pods.check_delete,
    _NODES: _check_is_own,
    _LEASES: _check_lease,
    _CLAIMS: _refuse_claim,
    _CSI_NODES: _check_csi_node,
    _SLICES: _check_slice,
}

NODE_RESTRICTION: Final = Plugin("NodeRestriction", needs=_needs, admit=_admit, admit_delete=_admit_delete)
