"""The Node authorizer: a kubelet reads what its own pods need, and nothing else.

https://kubernetes.io/docs/reference/access-authn-authz/node/
It stands before RBAC and only ever says yes; a no goes on to RBAC with its reason. What a kubelet may write, field
by field, is the NodeRestriction admission plugin's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeAlias

from apiserver.core.authz.attributes import YES, Attributes, Decision, User
from apiserver.core.authz.rules import Rule
from machinery.model.device_claims import claim_names_of
from machinery.model.storage import ephemeral_claim

Json: TypeAlias = Mapping[str, Any]
Reference: TypeAlias = tuple[str, str, str]
"""(resource, namespace, name)."""
References: TypeAlias = AbstractSet[Reference]
"""A node's pods and everything that they refer to."""

GROUP: Final = "system:nodes"
USER_PREFIX: Final = "system:node:"
LEASE_NAMESPACE: Final = "kube-node-lease"
CLAIMS: Final = "persistentvolumeclaims"
VOLUMES: Final = "persistentvolumes"
ATTACHMENTS: Final = "volumeattachments"
DEVICE_CLAIMS: Final = "resourceclaims"
SLICES: Final = "resourceslices"
_STORAGE: Final = "storage.k8s.io"
_DEVICES: Final = "resource.k8s.io"
_COORDINATION: Final = "coordination.k8s.io"
_READ: Final = ("get", "list", "watch")
_RELATED: Final = frozenset({(_STORAGE, ATTACHMENTS), (_DEVICES, DEVICE_CLAIMS), (_DEVICES, SLICES)})


def _rule(verbs: tuple[str, ...], group: str, *resources: str) -> Rule:
    return Rule(frozenset(verbs), frozenset({group}), frozenset(resources))


NODE_RULES: Final = (
    _rule(("create",), "authentication.k8s.io", "tokenreviews", "selfsubjectreviews"),
    _rule(("create",), "authorization.k8s.io", "subjectaccessreviews", "localsubjectaccessreviews"),
    _rule(("create",), "authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
    _rule(_READ, "", "services"),
    _rule(("create", "patch", "update"), "", "nodes"),
    _rule(("patch", "update"), "", "nodes/status", "pods/status"),
    _rule(("create", "patch", "update"), "", "events"),
    _rule(("create", "patch", "update"), "events.k8s.io", "events"),
    _rule(("create", "delete"), "", "pods"),
    _rule(("create",), "", "pods/eviction"),
    _rule(("create", *_READ), "certificates.k8s.io", "certificatesigningrequests"),
    _rule(_READ, "node.k8s.io", "runtimeclasses"),
    _rule(_READ, "storage.k8s.io", "csidrivers"),
)
"""What every kubelet may do, whatever its node."""
_ALWAYS: Final = frozenset(
    (verb, group, resource)
    for rule in NODE_RULES
    for verb in rule.verbs
    for group in rule.groups
    for resource in rule.resources
)


_NODE_SECRETS: Final = ("nodeStageSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef")


def node_of(user: User) -> str:
    """Return the node that a kubelet asks for; "" where no kubelet asks."""
    if GROUP not in user.groups or not user.name.startswith(USER_PREFIX):
        return ""
    return user.name.removeprefix(USER_PREFIX)


def needs_references(attributes: Attributes) -> bool:
    """Whether the answer depends on the pods of the node."""
    if attributes.path or attributes.group:
        return (attributes.group, attributes.combined) in _RELATED
    return attributes.combined in {
        "secrets",
        "configmaps",
        "serviceaccounts",
        "serviceaccounts/token",
        "pods",
        CLAIMS,
        f"{CLAIMS}/status",
        VOLUMES,
    } and not (attributes.resource == "pods" and attributes.verb != "get")


def decide(node: str, attributes: Attributes, references: References = frozenset()) -> Decision:
    """Answer for a node; `references` is needed where `needs_references` says so."""
    if attributes.path:
        return Decision(allowed=False)
    if (attributes.verb, attributes.group, attributes.combined) in _ALWAYS:
        return YES
    decider = _DECIDERS.get((attributes.group, attributes.combined))
    return decider(node, attributes, references) if decider else Decision(allowed=False)


def references_of(pod: Json) -> Iterator[Reference]:
    """Yield a pod, and what the kubelet has to read to run it."""
    meta, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    namespace = meta.get("namespace", "")
    yield "pods", namespace, meta.get("name", "")
    yield "serviceaccounts", namespace, spec.get("serviceAccountName") or "default"
    for secret in spec.get("imagePullSecrets") or ():
        yield "secrets", namespace, secret.get("name", "")
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            for resource, name in _of_container(container):
                yield resource, namespace, name
    for volume in spec.get("volumes") or ():
        if claim := _claim_of(volume, meta.get("name", "")):
            yield CLAIMS, namespace, claim
        for resource, name in _of_volume(volume):
            yield resource, namespace, name
    if spec.get("resourceClaims"):
        for name in claim_names_of(pod).values():
            yield DEVICE_CLAIMS, namespace, name


def relates(obj: Json, resource: str, node: str, references: References) -> bool:
    """Whether an attachment or a slice of devices is a node's, or a volume bound to a claim of its pods."""
    spec = obj.get("spec") or {}
    if resource in {ATTACHMENTS, SLICES}:
        return bool(spec.get("nodeName") == node)
    claim = spec.get("claimRef") or {}
    return (CLAIMS, claim.get("namespace", ""), claim.get("name", "")) in references


def volume_secrets(volume: Json) -> tuple[tuple[str, str], frozenset[tuple[str, str]]]:
    """Return the claim that a PersistentVolume is bound to, and the Secrets that its driver is given on a node."""
    spec = volume.get("spec") or {}
    claim, source = spec.get("claimRef") or {}, spec.get("csi") or {}
    found = (source.get(field) or {} for field in _NODE_SECRETS)
    secrets = frozenset(
        (each.get("namespace", ""), each.get("name", "")) for each in found if each.get("name")
    )
    return (claim.get("namespace", ""), claim.get("name", "")), secrets


def _claim_of(volume: Json, pod_name: str) -> str:
    if claim := volume.get("persistentVolumeClaim"):
        return str(claim.get("claimName", ""))
    return ephemeral_claim(pod_name, volume.get("name", "")) if "ephemeral" in volume else ""


def _of_container(container: Json) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        yield from _refs(source, secrets="secretRef", configmaps="configMapRef")
    for variable in container.get("env") or ():
        yield from _refs(
            variable.get("valueFrom") or {}, secrets="secretKeyRef", configmaps="configMapKeyRef"
        )


def _of_volume(volume: Json) -> Iterator[tuple[str, str]]:
    if secret := (volume.get("secret") or {}).get("secretName"):
        yield "secrets", secret
    yield from _refs(volume, configmaps="configMap")
    yield from _refs(volume.get("csi") or {}, secrets="nodePublishSecretRef")
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield from _refs(source, secrets="secret", configmaps="configMap")


def _refs(source: Json, **fields: str) -> Iterator[tuple[str, str]]:
    for resource, field in fields.items():
        if name := (source.get(field) or {}).get("name"):
            yield resource, name


def _reads_related(node: str, attributes: Attributes, references: References) -> Decision:
    return _related(node, attributes, references, _READ)


def _gets_related(node: str, attributes: Attributes, references: References) -> Decision:
    return _related(node, attributes, references, ("get",))


def _creates_related(node: str, attributes: Attributes, references: References) -> Decision:
    return _related(node, attributes, references, ("create",))


def _gets_one(node: str, attributes: Attributes, references: References) -> Decision:
    if attributes.verb != "get":
        return Decision(allowed=False, reason="can only get individual resources of this type")
    return _related(node, attributes, references, ("get",))


def _writes_status(node: str, attributes: Attributes, references: References) -> Decision:
    if attributes.verb not in {"update", "patch"}:
        return Decision(allowed=False, reason="can only get/update/patch this type of resource")
    return _related(node, attributes, references, ("update", "patch"))


def _own_slices(node: str, attributes: Attributes, references: References) -> Decision:
    """Answer about ResourceSlices: a node has its own; which node one is of that is created, NodeRestriction looks at."""
    verb = attributes.verb
    if verb == "create":
        return YES
    if verb in {"get", "update", "patch", "delete"}:
        return _related(node, attributes, references, (verb,))
    if verb not in {"watch", "list", "deletecollection"}:
        verbs = "get, watch, list, create, update, patch, delete, deletecollection"
        text = f"only the following verbs are allowed for a ResourceSlice: {verbs}"
        return Decision(allowed=False, reason=text)
    if (attributes.fields or {}).get("spec.nodeName") == node:
        return YES
    text = "can only list/watch/deletecollection resourceslices with nodeName field selector"
    return Decision(allowed=False, reason=text)


def _own_csi_node(node: str, attributes: Attributes, _references: References) -> Decision:
    if attributes.verb not in {"get", "create", "update", "patch", "delete"}:
        return Decision(allowed=False, reason="can only get, create, update, patch, or delete a CSINode")
    if attributes.verb == "create" or attributes.name == node:  # the name of a create: NodeRestriction's
        return YES
    text = "can only access CSINode with the same name as the requesting node"
    return Decision(allowed=False, reason=text)


def _related(node: str, attributes: Attributes, references: References, verbs: tuple[str, ...]) -> Decision:
    if attributes.verb not in verbs:
        return Decision(allowed=False, reason=f"can only {'/'.join(verbs)} this type of resource")
    if not attributes.name:
        return Decision(
            allowed=False, reason=f"can only {attributes.verb} a single object of this type by name"
        )
    if (attributes.resource, attributes.namespace, attributes.name) in references:
        return YES
    return Decision(allowed=False, reason=_no_relation(node))


def _pods(node: str, attributes: Attributes, references: References) -> Decision:
    if attributes.verb == "get":
        return _related(node, attributes, references, ("get",))
    if attributes.verb not in _READ:
        return Decision(allowed=False)
    if (attributes.fields or {}).get("spec.nodeName") == node:
        return YES
    return Decision(allowed=False, reason="can only list/watch pods with spec.nodeName field selector")


def _own_node(node: str, attributes: Attributes, _references: References) -> Decision:
    if attributes.verb not in _READ:
        return Decision(allowed=False)
    asked = attributes.name or (attributes.fields or {}).get("metadata.name")
    if asked == node:
        return YES
    return Decision(
        allowed=False, reason=f"node '{node}' cannot read '{asked or ''}', only its own Node object"
    )


def _own_lease(node: str, attributes: Attributes, _references: References) -> Decision:
    if attributes.verb not in {"get", "create", "update", "patch", "delete"}:
        return Decision(allowed=False, reason="can only get, create, update, patch, or delete a node lease")
    if attributes.namespace != LEASE_NAMESPACE:
        text = f'can only access leases in the "{LEASE_NAMESPACE}" system namespace'
        return Decision(allowed=False, reason=text)
    if attributes.verb == "create" or attributes.name == node:  # the name of a create: NodeRestriction's
        return YES
    text = "can only access node lease with the same name as the requesting node"
    return Decision(allowed=False, reason=text)


def _no_relation(node: str) -> str:
    return f"no relationship found between node '{node}' and this object"


_DECIDERS: Final[dict[tuple[str, str], Callable[[str, Attributes, References], Decision]]] = {
    ("", "secrets"): _reads_related,
    ("", "configmaps"): _reads_related,
    ("", "serviceaccounts"): _gets_related,
    ("", "serviceaccounts/token"): _creates_related,
    ("", "pods"): _pods,
    ("", "nodes"): _own_node,
    ("", CLAIMS): _gets_one,
    ("", f"{CLAIMS}/status"): _writes_status,
    ("", VOLUMES): _gets_one,
    (_STORAGE, ATTACHMENTS): _gets_one,
    (_STORAGE, "csinodes"): _own_csi_node,
    (_DEVICES, DEVICE_CLAIMS): _gets_one,
    (_DEVICES, SLICES): _own_slices,
    (_COORDINATION, "leases"): _own_lease,
}
