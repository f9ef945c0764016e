"""The roles that a cluster has from the beginning, and who has them: each component what it needs, no more.

Names and meanings are Kubernetes' (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings);
`admin`, `edit` and `view` gather the rules of all roles with their label: what an operator adds for a custom resource
counts, too. Kubelets need no role: the Node authorizer knows them. The controllers run as one identity, so its role is
the union of what they do.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from apiserver.core.authz.attributes import AUTHENTICATED, MASTERS, UNAUTHENTICATED
from apiserver.core.authz.rbac import RBAC_GROUP

Json: TypeAlias = dict[str, Any]

_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "delete", "deletecollection", "patch", "update")
_REPORT: Final = ("create", "patch", "update")
_AGGREGATE: Final = f"{RBAC_GROUP}/aggregate-to-"  # and a role's name: the label of what is a part of it
_CERTIFICATES: Final = "certificates.k8s.io"
_REQUESTS: Final = "certificatesigningrequests"
_SIGNER: Final = "kubernetes.io/kube-apiserver-client"
_BOOTSTRAPPERS: Final = "system:bootstrappers"
_SCALED: Final = ("deployments", "replicasets", "statefulsets")  # of the group apps
_PUBLIC_URLS: Final = ("/healthz", "/livez", "/readyz", "/version", "/version/")


def _rule(verbs: tuple[str, ...], group: str, *resources: str, names: tuple[str, ...] = ()) -> Json:
    rule: Json = {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)}
    if names:
        rule["resourceNames"] = list(names)
    return rule


def _with(plural: str, *parts: str) -> tuple[str, ...]:
    """Return a resource and its subresources: its status, unless others are named."""
    return (plural, *(f"{plural}/{part}" for part in parts or ("status",)))


def _urls(*urls: str) -> Json:
    return {"verbs": ["get"], "nonResourceURLs": list(urls)}


def _meta(name: str, namespace: str = "") -> Json:
    meta: Json = {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    }
    return {**meta, "namespace": namespace} if namespace else meta


def _role(name: str, *rules: Json, part_of: str = "") -> Json:
    """Return a role; its rules are a part of those of `admin`, `edit` or `view`, where one of them is named."""
    meta = _meta(name)
    if part_of:
        meta["labels"][f"{_AGGREGATE}{part_of}"] = "true"
    return {"apiVersion": f"{RBAC_GROUP}/v1", "kind": "ClusterRole", "metadata": meta, "rules": list(rules)}


def _aggregated(name: str, *, part_of: str = "") -> Json:
    """Return a role that has the rules of all others with its label."""
    selector = {"matchLabels": {f"{_AGGREGATE}{name}": "true"}}
    role = _role(name, part_of=part_of)
    return {**role, "aggregationRule": {"clusterRoleSelectors": [selector]}}


def _binding(name: str, role: str, *subjects: Json) -> Json:
    return {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _meta(name),
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role},
        "subjects": list(subjects),
    }


def _user(name: str) -> Json:
    return {"apiGroup": RBAC_GROUP, "kind": "User", "name": name}


def _group(name: str) -> Json:
    return {"apiGroup": RBAC_GROUP, "kind": "Group", "name": name}


_EVENTS: Final = _rule(_REPORT, "", "events")

_VIEW: Final = (
    _rule(_READ, "", *_with("replicationcontrollers", "scale", "status"), "bindings", "configmaps", "events"),
    _rule(
        _READ,
        "",
        "endpoints",
        "limitranges",
        "namespaces",
        "namespaces/status",
        *_with("persistentvolumeclaims"),
    ),
    _rule(_READ, "", *_with("pods", "log", "status"), *_with("resourcequotas"), "serviceaccounts"),
    _rule(_READ, "", *_with("services")),
    _rule(_READ, "apps", "controllerrevisions", *_with("daemonsets")),
    _rule(_READ, "apps", *(part for plural in _SCALED for part in _with(plural, "scale", "status"))),
    _rule(_READ, "autoscaling", *_with("horizontalpodautoscalers")),
    _rule(_READ, "batch", *_with("cronjobs"), *_with("jobs")),
    _rule(_READ, "discovery.k8s.io", "endpointslices"),
    _rule(_READ, "networking.k8s.io", *_with("ingresses"), "networkpolicies"),
    _rule(_READ, "policy", *_with("poddisruptionbudgets")),
    _rule(_READ, "resource.k8s.io", *_with("resourceclaims"), "resourceclaimtemplates"),
)
_EDIT: Final = (
    _rule(
        _READ, "", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"
    ),
    _rule(("impersonate",), "", "serviceaccounts"),
    _rule(_WRITE, "", *_with("pods", "attach", "exec", "portforward", "proxy")),
    _rule(("create",), "", "pods/eviction", "serviceaccounts/token"),
    _rule(_WRITE, "", "configmaps", "events", "persistentvolumeclaims", "secrets", "serviceaccounts"),
    _rule(_WRITE, "", *_with("replicationcontrollers", "scale"), *_with("services", "proxy")),
    _rule(_WRITE, "apps", "daemonsets", *(part for plural in _SCALED for part in _with(plural, "scale"))),
    _rule(_WRITE, "autoscaling", "horizontalpodautoscalers"),
    _rule(_WRITE, "batch", "cronjobs", "jobs"),
    _rule((*_READ, *_WRITE), "coordination.k8s.io", "leases"),
    _rule(_WRITE, "networking.k8s.io", "ingresses", "networkpolicies"),
    _rule(_WRITE, "policy", "poddisruptionbudgets"),
    _rule(_WRITE, "resource.k8s.io", "resourceclaims", "resourceclaimtemplates"),
)
_ADMIN: Final = (
    _rule(("create",), "authorization.k8s.io", "localsubjectaccessreviews"),
    _rule((*_READ, *_WRITE), RBAC_GROUP, "roles", "rolebindings"),
)


def _leader(lease: str) -> tuple[Json, ...]:
    """Return the rules by which a component takes part in the election that its lease decides."""
    group = "coordination.k8s.io"
    return (
        _rule(("create",), group, "leases"),
        _rule(("get", "patch", "update", "watch"), group, "leases", names=(lease,)),
    )


_SCHEDULER: Final = (
    *_leader("kube-scheduler"),
    _EVENTS,
    _rule(_READ, "", "namespaces", "nodes", "services"),
    _rule(("delete", *_READ), "", "pods"),
    _rule(("create",), "", "bindings", "pods/binding"),
    _rule(("patch", "update"), "", "pods/status"),
    _rule(_READ, "apps", "replicasets"),
)
_CONTROLLERS: Final = (
    *_leader("kube-controller-manager"),
    _EVENTS,
    # The garbage collector and the deletion of namespaces look at every kind, and take objects away; the
    # collector also takes owners and finalizers out of them.
    _rule(("delete", "deletecollection", "patch", *_READ), "*", "*"),
    _rule(("create", "update"), "", "configmaps", "pods", "serviceaccounts"),
    _rule(
        ("update",), "", "namespaces/finalize", "namespaces/status", "nodes", "nodes/status", "pods/status"
    ),
    _rule(("create", "update"), "apps", "replicasets"),
    _rule(("update",), "apps", "deployments", "deployments/status", "replicasets/status"),
    _rule(("create", "update"), "discovery.k8s.io", "endpointslices"),
    _rule(("create",), "authorization.k8s.io", "subjectaccessreviews"),
    _rule(("patch", "update"), _CERTIFICATES, f"{_REQUESTS}/approval", f"{_REQUESTS}/status"),
    _rule(("approve",), _CERTIFICATES, "signers", names=(f"{_SIGNER}-kubelet",)),
    _rule(
        ("sign",),
        _CERTIFICATES,
        "signers",
        names=(
            _SIGNER,
            f"{_SIGNER}-kubelet",
            "kubernetes.io/kubelet-serving",
            "kubernetes.io/legacy-unknown",
        ),
    ),
    _rule(("escalate",), RBAC_GROUP, "clusterroles"),  # an aggregated role may come to hold anything
)
_PROXY: Final = (
    _EVENTS,
    _rule(_READ, "", "nodes", "services"),
    _rule(_READ, "discovery.k8s.io", "endpointslices"),
)
_KUBELET_API: Final = (
    _rule(_READ, "", "nodes"),
    _rule(("proxy",), "", "nodes"),
    _rule(("*",), "", "nodes/log", "nodes/metrics", "nodes/proxy", "nodes/stats"),
)
_DISCOVERY_URLS: Final = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_PUBLIC_URLS)
_ISSUER_URLS: Final = (
    "/.well-known/openid-configuration",
    "/.well-known/openid-configuration/",
    "/openid/v1/jwks",
    "/openid/v1/jwks/",
)
_MONITORING_URLS: Final = (
    *(f"{url}{tail}" for url in ("/healthz", "/livez", "/readyz") for tail in ("", "/*")),
    "/metrics",
    "/metrics/*",
)

_ROLES: Final = (
    _aggregated("admin"),
    _aggregated("edit", part_of="admin"),
    _aggregated("view", part_of="edit"),
    _role("system:aggregate-to-admin", *_ADMIN, part_of="admin"),
    _role("system:aggregate-to-edit", *_EDIT, part_of="edit"),
    _role("system:aggregate-to-view", *_VIEW, part_of="view"),
    _role(
        "cluster-admin",
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ),
    _role(
        "system:basic-user",
        _rule(("create",), "authentication.k8s.io", "selfsubjectreviews"),
        _rule(("create",), "authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
    ),
    *(
        _role(
            f"system:certificates.k8s.io:{_REQUESTS}:{what}",
            _rule(("create",), _CERTIFICATES, f"{_REQUESTS}/{what}"),
        )
        for what in ("nodeclient", "selfnodeclient")
    ),
    *(
        _role(
            f"system:certificates.k8s.io:{name}-approver",
            _rule(("approve",), _CERTIFICATES, "signers", names=(signer,)),
        )
        for name, signer in (
            ("kube-apiserver-client", _SIGNER),
            ("kube-apiserver-client-kubelet", f"{_SIGNER}-kubelet"),
            ("kubelet-serving", "kubernetes.io/kubelet-serving"),
            ("legacy-unknown", "kubernetes.io/legacy-unknown"),
        )
    ),
    _role("system:discovery", _urls(*_DISCOVERY_URLS)),
    _role("system:kube-controller-manager", *_CONTROLLERS),
    _role("system:kube-scheduler", *_SCHEDULER),
    _role("system:kubelet-api-admin", *_KUBELET_API),
    _role("system:monitoring", _urls(*_MONITORING_URLS)),
    _role("system:node-bootstrapper", _rule(("create", *_READ), _CERTIFICATES, _REQUESTS)),
    _role("system:node-proxier", *_PROXY),
    _role("system:public-info-viewer", _urls(*_PUBLIC_URLS)),
    _role("system:service-account-issuer-discovery", _urls(*_ISSUER_URLS)),
)

_BINDINGS: Final = (
    _binding("cluster-admin", "cluster-admin", _group(MASTERS)),
    _binding(
        "kubarium:apiserver-kubelet-client",
        "system:kubelet-api-admin",
        _user("kube-apiserver-kubelet-client"),
    ),
    _binding("kubarium:kubelet-bootstrap", "system:node-bootstrapper", _group(_BOOTSTRAPPERS)),
    _binding(
        "kubarium:node-autoapprove-bootstrap",
        f"system:certificates.k8s.io:{_REQUESTS}:nodeclient",
        _group(_BOOTSTRAPPERS),
    ),
    _binding(
        "kubarium:node-autoapprove-certificate-rotation",
        f"system:certificates.k8s.io:{_REQUESTS}:selfnodeclient",
        _group("system:nodes"),
    ),
    _binding("system:basic-user", "system:basic-user", _group(AUTHENTICATED)),
    _binding("system:discovery", "system:discovery", _group(AUTHENTICATED)),
    _binding(
        "system:kube-controller-manager",
        "system:kube-controller-manager",
        _user("system:kube-controller-manager"),
    ),
    _binding("system:kube-scheduler", "system:kube-scheduler", _user("system:kube-scheduler")),
    _binding("system:monitoring", "system:monitoring", _group("system:monitoring")),
    _binding("system:node-proxier", "system:node-proxier", _user("system:kube-proxy")),
    _binding(
        "system:public-info-viewer",
        "system:public-info-viewer",
        _group(AUTHENTICATED),
        _group(UNAUTHENTICATED),
    ),
    _binding(
        "system:service-account-issuer-discovery",
        "system:service-account-issuer-discovery",
        _group("system:serviceaccounts"),
    ),
)

BOOTSTRAP_OBJECTS: Final[tuple[Json, ...]] = tuple(
    sorted((*_ROLES, *_BINDINGS), key=lambda obj: (obj["metadata"]["name"], obj["kind"]))
)
"""Sorted by name; at a start the apiserver writes those that are missing, or that lack something."""
