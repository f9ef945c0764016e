"""What the kinds of Kubernetes v1.36.0 that are served are called, made by tools/gen_kinds.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

from typing import Final

from machinery.model.kinds import KindNames, Subresource

NAMESPACES: Final = KindNames("", "v1", "Namespace", "namespaces", "namespace", "io.k8s.api.core.v1.Namespace", False, verbs=("create", "delete", "get", "list", "patch", "update", "watch"), short_names=("ns",), subresources={"finalize": Subresource("Namespace", "", "v1", ("update",), "io.k8s.api.core.v1.Namespace"), "status": Subresource("Namespace", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.Namespace")})
NODES: Final = KindNames("", "v1", "Node", "nodes", "node", "io.k8s.api.core.v1.Node", False, short_names=("no",), subresources={"proxy": Subresource("NodeProxyOptions", "", "v1", ("create", "delete", "get", "patch", "update"), ""), "status": Subresource("Node", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.Node")})
PODS: Final = KindNames("", "v1", "Pod", "pods", "pod", "io.k8s.api.core.v1.Pod", True, short_names=("po",), categories=("all",), subresources={"attach": Subresource("PodAttachOptions", "", "v1", ("create", "get"), ""), "binding": Subresource("Binding", "", "v1", ("create",), "io.k8s.api.core.v1.Binding"), "eviction": Subresource("Eviction", "policy", "v1", ("create",), "io.k8s.api.policy.v1.Eviction"), "exec": Subresource("PodExecOptions", "", "v1", ("create", "get"), ""), "log": Subresource("Pod", "", "v1", ("get",), "io.k8s.api.core.v1.Pod"), "portforward": Subresource("PodPortForwardOptions", "", "v1", ("create", "get"), ""), "proxy": Subresource("PodProxyOptions", "", "v1", ("create", "delete", "get", "patch", "update"), ""), "status": Subresource("Pod", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.Pod")})
SERVICES: Final = KindNames("", "v1", "Service", "services", "service", "io.k8s.api.core.v1.Service", True, short_names=("svc",), categories=("all",), subresources={"proxy": Subresource("ServiceProxyOptions", "", "v1", ("create", "delete", "get", "patch", "update"), ""), "status": Subresource("Service", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.Service")})
CONFIG_MAPS: Final = KindNames("", "v1", "ConfigMap", "configmaps", "configmap", "io.k8s.api.core.v1.ConfigMap", True, short_names=("cm",))
SECRETS: Final = KindNames("", "v1", "Secret", "secrets", "secret", "io.k8s.api.core.v1.Secret", True)
SERVICE_ACCOUNTS: Final = KindNames("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", "io.k8s.api.core.v1.ServiceAccount", True, short_names=("sa",), subresources={"token": Subresource("TokenRequest", "authentication.k8s.io", "v1", ("create",), "io.k8s.api.authentication.v1.TokenRequest")})
EVENTS: Final = KindNames("", "v1", "Event", "events", "event", "io.k8s.api.core.v1.Event", True, short_names=("ev",))
REPLICATION_CONTROLLERS: Final = KindNames("", "v1", "ReplicationController", "replicationcontrollers", "replicationcontroller", "io.k8s.api.core.v1.ReplicationController", True, short_names=("rc",), categories=("all",), subresources={"scale": Subresource("Scale", "autoscaling", "v1", ("get", "patch", "update"), "io.k8s.api.autoscaling.v1.Scale"), "status": Subresource("ReplicationController", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.ReplicationController")})
POD_TEMPLATES: Final = KindNames("", "v1", "PodTemplate", "podtemplates", "podtemplate", "io.k8s.api.core.v1.PodTemplate", True)
LIMIT_RANGES: Final = KindNames("", "v1", "LimitRange", "limitranges", "limitrange", "io.k8s.api.core.v1.LimitRange", True, short_names=("limits",))
RESOURCE_QUOTAS: Final = KindNames("", "v1", "ResourceQuota", "resourcequotas", "resourcequota", "io.k8s.api.core.v1.ResourceQuota", True, short_names=("quota",), subresources={"status": Subresource("ResourceQuota", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.ResourceQuota")})
PERSISTENT_VOLUMES: Final = KindNames("", "v1", "PersistentVolume", "persistentvolumes", "persistentvolume", "io.k8s.api.core.v1.PersistentVolume", False, short_names=("pv",), subresources={"status": Subresource("PersistentVolume", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.PersistentVolume")})
PERSISTENT_VOLUME_CLAIMS: Final = KindNames("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim", "io.k8s.api.core.v1.PersistentVolumeClaim", True, short_names=("pvc",), subresources={"status": Subresource("PersistentVolumeClaim", "", "v1", ("get", "patch", "update"), "io.k8s.api.core.v1.PersistentVolumeClaim")})
DEPLOYMENTS: Final = KindNames("apps", "v1", "Deployment", "deployments", "deployment", "io.k8s.api.apps.v1.Deployment", True, short_names=("deploy",), categories=("all",), subresources={"scale": Subresource("Scale", "autoscaling", "v1", ("get", "patch", "update"), "io.k8s.api.autoscaling.v1.Scale"), "status": Subresource("Deployment", "apps", "v1", ("get", "patch", "update"), "io.k8s.api.apps.v1.Deployment")})
REPLICA_SETS: Final = KindNames("apps", "v1", "ReplicaSet", "replicasets", "replicaset", "io.k8s.api.apps.v1.ReplicaSet", True, short_names=("rs",), categories=("all",), subresources={"scale": Subresource("Scale", "autoscaling", "v1", ("get", "patch", "update"), "io.k8s.api.autoscaling.v1.Scale"), "status": Subresource("ReplicaSet", "apps", "v1", ("get", "patch", "update"), "io.k8s.api.apps.v1.ReplicaSet")})
STATEFUL_SETS: Final = KindNames("apps", "v1", "StatefulSet", "statefulsets", "statefulset", "io.k8s.api.apps.v1.StatefulSet", True, short_names=("sts",), categories=("all",), subresources={"scale": Subresource("Scale", "autoscaling", "v1", ("get", "patch", "update"), "io.k8s.api.autoscaling.v1.Scale"), "status": Subresource("StatefulSet", "apps", "v1", ("get", "patch", "update"), "io.k8s.api.apps.v1.StatefulSet")})
DAEMON_SETS: Final = KindNames("apps", "v1", "DaemonSet", "daemonsets", "daemonset", "io.k8s.api.apps.v1.DaemonSet", True, short_names=("ds",), categories=("all",), subresources={"status": Subresource("DaemonSet", "apps", "v1", ("get", "patch", "update"), "io.k8s.api.apps.v1.DaemonSet")})
CONTROLLER_REVISIONS: Final = KindNames("apps", "v1", "ControllerRevision", "controllerrevisions", "controllerrevision", "io.k8s.api.apps.v1.ControllerRevision", True)
JOBS: Final = KindNames("batch", "v1", "Job", "jobs", "job", "io.k8s.api.batch.v1.Job", True, categories=("all",), subresources={"status": Subresource("Job", "batch", "v1", ("get", "patch", "update"), "io.k8s.api.batch.v1.Job")})
CRON_JOBS: Final = KindNames("batch", "v1", "CronJob", "cronjobs", "cronjob", "io.k8s.api.batch.v1.CronJob", True, short_names=("cj",), categories=("all",), subresources={"status": Subresource("CronJob", "batch", "v1", ("get", "patch", "update"), "io.k8s.api.batch.v1.CronJob")})
HORIZONTAL_POD_AUTOSCALERS: Final = KindNames("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "horizontalpodautoscaler", "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler", True, short_names=("hpa",), categories=("all",), subresources={"status": Subresource("HorizontalPodAutoscaler", "autoscaling", "v2", ("get", "patch", "update"), "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler")})
POD_DISRUPTION_BUDGETS: Final = KindNames("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "poddisruptionbudget", "io.k8s.api.policy.v1.PodDisruptionBudget", True, short_names=("pdb",), subresources={"status": Subresource("PodDisruptionBudget", "policy", "v1", ("get", "patch", "update"), "io.k8s.api.policy.v1.PodDisruptionBudget")})
INGRESSES: Final = KindNames("networking.k8s.io", "v1", "Ingress", "ingresses", "ingress", "io.k8s.api.networking.v1.Ingress", True, short_names=("ing",), subresources={"status": Subresource("Ingress", "networking.k8s.io", "v1", ("get", "patch", "update"), "io.k8s.api.networking.v1.Ingress")})
INGRESS_CLASSES: Final = KindNames("networking.k8s.io", "v1", "IngressClass", "ingressclasses", "ingressclass", "io.k8s.api.networking.v1.IngressClass", False)
NETWORK_POLICIES: Final = KindNames("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "networkpolicy", "io.k8s.api.networking.v1.NetworkPolicy", True, short_names=("netpol",))
PRIORITY_CLASSES: Final = KindNames("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "priorityclass", "io.k8s.api.scheduling.v1.PriorityClass", False, short_names=("pc",))
STORAGE_CLASSES: Final = KindNames("storage.k8s.io", "v1", "StorageClass", "storageclasses", "storageclass", "io.k8s.api.storage.v1.StorageClass", False, short_names=("sc",))
RUNTIME_CLASSES: Final = KindNames("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", "runtimeclass", "io.k8s.api.node.v1.RuntimeClass", False)
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

STORED: Final = (NAMESPACES, NODES, PODS, SERVICES, CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS, EVENTS, REPLICATION_CONTROLLERS, POD_TEMPLATES, LIMIT_RANGES, RESOURCE_QUOTAS, PERSISTENT_VOLUMES, PERSISTENT_VOLUME_CLAIMS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS, CONTROLLER_REVISIONS, JOBS, CRON_JOBS, HORIZONTAL_POD_AUTOSCALERS, POD_DISRUPTION_BUDGETS, INGRESSES, INGRESS_CLASSES, NETWORK_POLICIES, PRIORITY_CLASSES, STORAGE_CLASSES, RUNTIME_CLASSES, LEASES, ENDPOINT_SLICES, ROLES, ROLE_BINDINGS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS,)
"""Kinds whose objects are kept."""

STORED_AS: Final[dict[KindNames, KindNames]] = {}
"""The version that is stored, by each of the others."""

REVIEWS: Final = (SELF_SUBJECT_REVIEWS, TOKEN_REVIEWS, LOCAL_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_RULES_REVIEWS, SUBJECT_ACCESS_REVIEWS,)
"""Kinds whose objects are answered, not kept."""
