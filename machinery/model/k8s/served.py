"""What the kinds of Kubernetes v1.36.0 that are served are called, made by tools/gen_kinds.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

from typing import Final

from machinery.model.kinds import KindNames, Subresource

NAMESPACES: Final = KindNames("", "v1", "Namespace", "namespaces", "namespace", "io.k8s.api.core.v1.Namespace", False, verbs=("create", "delete", "get", "list", "patch", "update", "watch"), short_names=("ns",), subresources={"finalize": Subresource("Namespace", "", "v1", ("update",), "io.k8s.api.core.v1.Namespace"), "status": Subresource("Namespace", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.Namespace")})
NODES: Final = KindNames("", "v1", "Node", "nodes", "node", "io.k8s.api.core.v1.Node", False, short_names=("no",), subresources={"status": Subresource("Node", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.Node")})
PODS: Final = KindNames("", "v1", "Pod", "pods", "pod", "io.k8s.api.core.v1.Pod", True, short_names=("po",), categories=("all",), subresources={"attach": Subresource("PodAttachOptions", "", "v1", ("create", "get"), ""), "binding": Subresource("Binding", "", "v1", ("create",), "io.k8s.api.core.v1.Binding"), "eviction": Subresource("Eviction", "policy", "v1", ("create",), "io.k8s.api.policy.v1.Eviction"), "exec": Subresource("PodExecOptions", "", "v1", ("create", "get"), ""), "log": Subresource("Pod", "", "v1", ("get",), "io.k8s.api.core.v1.Pod"), "portforward": Subresource("PodPortForwardOptions", "", "v1", ("create", "get"), ""), "status": Subresource("Pod", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.Pod")})
SERVICES: Final = KindNames("", "v1", "Service", "services", "service", "io.k8s.api.core.v1.Service", True, short_names=("svc",), categories=("all",), subresources={"status": Subresource("Service", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.Service")})
CONFIG_MAPS: Final = KindNames("", "v1", "ConfigMap", "configmaps", "configmap", "io.k8s.api.core.v1.ConfigMap", True, short_names=("cm",))
SECRETS: Final = KindNames("", "v1", "Secret", "secrets", "secret", "io.k8s.api.core.v1.Secret", True)
SERVICE_ACCOUNTS: Final = KindNames("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", "io.k8s.api.core.v1.ServiceAccount", True, short_names=("sa",), subresources={"token": Subresource("TokenRequest", "authentication.k8s.io", "v1", ("create",), "io.k8s.api.authentication.v1.TokenRequest")})
EVENTS: Final = KindNames("", "v1", "Event", "events", "event", "io.k8s.api.core.v1.Event", True, short_names=("ev",))
DEPLOYMENTS: Final = KindNames("apps", "v1", "Deployment", "deployments", "deployment", "io.k8s.api.apps.v1.Deployment", True, short_names=("deploy",), categories=("all",), subresources={"scale": Subresource("Scale", "autoscaling", "v1", ("get", "patch", "update"), "io.k8s.api.autoscaling.v1.Scale"), "status": Subresource("Deployment", "apps", "v1", ("get", "patch", "update"), "io.k8s.api.apps.v1.Deployment")})
REPLICA_SETS: Final = KindNames("apps", "v1", "ReplicaSet", "replicasets", "replicaset", "io.k8s.api.apps.v1.ReplicaSet", True, short_names=("rs",), categories=("all",), subresources={"scale": Subresource("Scale", "autoscaling", "v1", ("get", "patch", "update"), "io.k8s.api.autoscaling.v1.Scale"), "status": Subresource("ReplicaSet", "apps", "v1", ("get", "patch", "update"), "io.k8s.api.apps.v1.ReplicaSet")})
LEASES: Final = KindNames("coordination.k8s.io", "v1", "Lease", "leases", "lease", "io.k8s.api.coordination.v1.Lease", True)
ENDPOINT_SLICES: Final = KindNames("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice", "io.k8s.api.discovery.v1.EndpointSlice", True)
ROLES: Final = KindNames("rbac.authorization.k8s.io", "v1", "Role", "roles", "role", "io.k8s.api.rbac.v1.Role", True)
ROLE_BINDINGS: Final = KindNames("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", "rolebinding", "io.k8s.api.rbac.v1.RoleBinding", True)
CLUSTER_ROLES: Final = KindNames("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", "clusterrole", "io.k8s.api.rbac.v1.ClusterRole", False)
CLUSTER_ROLE_BINDINGS: Final = KindNames("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", "io.k8s.api.rbac.v1.ClusterRoleBinding", False)

SELF_SUBJECT_REVIEWS: Final = KindNames("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview", "io.k8s.api.authentication.v1.SelfSubjectReview", False, verbs=("create",))
TOKEN_REVIEWS: Final = KindNames("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", "tokenreview", "io.k8s.api.authentication.v1.TokenReview", False, verbs=("create",))
LOCAL_SUBJECT_ACCESS_REVIEWS: Final = KindNames("authorization.k8s.io", "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", "localsubjectaccessreview", "io.k8s.api.authorization.v1.LocalSubjectAccessReview", True, verbs=("create",))
SELF_SUBJECT_ACCESS_REVIEWS: Final = KindNames("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", "selfsubjectaccessreview", "io.k8s.api.authorization.v1.SelfSubjectAccessReview", False, verbs=("create",))
SELF_SUBJECT_RULES_REVIEWS: Final = KindNames("authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", "selfsubjectrulesreview", "io.k8s.api.authorization.v1.SelfSubjectRulesReview", False, verbs=("create",))
SUBJECT_ACCESS_REVIEWS: Final = KindNames("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", "subjectaccessreview", "io.k8s.api.authorization.v1.SubjectAccessReview", False, verbs=("create",))

STORED: Final = (NAMESPACES, NODES, PODS, SERVICES, CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS, EVENTS, DEPLOYMENTS, REPLICA_SETS, LEASES, ENDPOINT_SLICES, ROLES, ROLE_BINDINGS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS,)
"""Kinds whose objects are kept."""

STORED_AS: Final[dict[KindNames, KindNames]] = {}
"""The version that is stored, by each of the others."""

REVIEWS: Final = (SELF_SUBJECT_REVIEWS, TOKEN_REVIEWS, LOCAL_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_RULES_REVIEWS, SUBJECT_ACCESS_REVIEWS,)
"""Kinds whose objects are answered, not kept."""
