"""Nodes, namespaces, and who may do what."""

from __future__ import annotations

from typing import Any

from tests.support.visited.objects import CREATED, Json, is_ready, made


def node(index: int, *, ready: str = "True", **spec: Any) -> Json:
    """Return a node in one of three zones, with a range of its own."""
    cidr = f"10.{index // 250}.{index % 250}.0/24"
    labels = {"topology.kubernetes.io/zone": f"zone-{index % 3}"}
    spec = {"podCIDR": cidr, "podCIDRs": [cidr]} | spec
    return made(
        "v1", "Node", f"node-{index}", "", metadata={"labels": labels}, spec=spec, status=is_ready(ready)
    )


def lease(index: int, renewed: str = CREATED) -> Json:
    """Return a node's lease."""
    spec = {"holderIdentity": f"node-{index}", "renewTime": renewed}
    return made("coordination.k8s.io/v1", "Lease", f"node-{index}", "kube-node-lease", spec=spec)


def namespace(index: int, **metadata: Any) -> Json:
    """Return a namespace."""
    spec = {"finalizers": ["kubernetes"]}
    phase = {"phase": "Terminating" if metadata else "Active"}
    return made("v1", "Namespace", f"space-{index}", "", metadata=metadata, spec=spec, status=phase)


def account(index: int) -> Json:
    """Return the default ServiceAccount of a namespace."""
    return made("v1", "ServiceAccount", "default", f"space-{index}")


def root_ca(index: int) -> Json:
    """Return a namespace's root certificates."""
    return made("v1", "ConfigMap", "kube-root-ca.crt", f"space-{index}", data={"ca.crt": "PEM"})


def quota(index: int) -> Json:
    """Return a quota of a namespace, counted."""
    hard = {"pods": "9"}
    return made("v1", "ResourceQuota", "all", f"space-{index}", spec={"hard": hard}, status={"hard": hard})


def cluster_role(index: int, part: str = "") -> Json:
    """Return a role that another one gathers."""
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": [f"things-{index}"]}]
    labels = {"part": part or f"part-{index}"}
    kind = ("rbac.authorization.k8s.io/v1", "ClusterRole")
    return made(*kind, f"role-{index}", "", metadata={"labels": labels}, rules=rules)


def aggregated_role(index: int, part: str = "") -> Json:
    """Return the one that gathers it."""
    selector = {"matchLabels": {"part": part or f"part-{index}"}}
    rule = {"clusterRoleSelectors": [selector]}
    rules = cluster_role(index)["rules"]
    kind = ("rbac.authorization.k8s.io/v1", "ClusterRole")
    return made(*kind, f"whole-{index}", "", aggregationRule=rule, rules=rules)


def token_secret(index: int, **data: str) -> Json:
    """Return a Secret of a namespace's account."""
    notes = {"kubernetes.io/service-account.name": "default"}
    return made("v1", "Secret", "token", f"space-{index}", metadata={"annotations": notes}, data=data)


def certificate_request(index: int, *types: str) -> Json:
    """Return a request for a certificate."""
    spec = {
        "request": "",
        "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
        "usages": ["client auth"],
    }
    conditions = [{"type": type_, "status": "True", "lastUpdateTime": CREATED} for type_ in types]
    kind = ("certificates.k8s.io/v1", "CertificateSigningRequest")
    return made(*kind, f"csr-{index}", "", spec=spec, status={"conditions": conditions})


def definition(index: int) -> Json:
    """Return a kind that has no objects."""
    names = {"plural": f"things-{index}", "kind": f"Thing{index}"}
    version = {"name": "v1", "served": True, "storage": True}
    spec = {
        "group": f"group-{index}.example.com",
        "scope": "Namespaced",
        "names": names,
        "versions": [version],
    }
    kind = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    return made(*kind, f"things-{index}.group-{index}.example.com", "", spec=spec)


def policy(index: int, generation: int = 1) -> Json:
    """Return a policy about the objects of a kind."""
    rule = {
        "apiGroups": [f"group-{index}.example.com"],
        "apiVersions": ["v1"],
        "resources": [f"things-{index}"],
    }
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "true"}]}
    meta = {"generation": generation}
    api_version = "admissionregistration.k8s.io/v1"
    return made(api_version, "ValidatingAdmissionPolicy", f"policy-{index}", "", metadata=meta, spec=spec)
