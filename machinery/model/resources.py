"""The resources that components speak about: where each lives in the API, and its type here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from machinery.model.k8s import apps_v1, coordination_v1, core_v1, discovery_v1, meta_v1, rbac_v1


class KubeObject(Protocol):
    """What every stored object has."""

    @property
    def apiVersion(self) -> str:  # noqa: N802 - Kubernetes' own name
        """The group and version, "apps/v1"; "v1" for the core group."""
        ...

    @property
    def kind(self) -> str:
        """The kind, "Pod"."""
        ...

    @property
    def metadata(self) -> meta_v1.ObjectMeta:
        """Name, namespace, uid, revision, labels, owners."""
        ...


T = TypeVar("T", bound=KubeObject)


@dataclass(frozen=True, slots=True)
class Resource(Generic[T]):
    """A collection in the API and the type of its objects."""

    group: str  # "" for the core group
    version: str
    plural: str  # "pods"
    kind: str
    namespaced: bool
    type: type[T]

    @property
    def api_version(self) -> str:
        """Give what objects carry as apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False, type=core_v1.Namespace)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False, type=core_v1.Node)
PODS = Resource("", "v1", "pods", "Pod", namespaced=True, type=core_v1.Pod)
SERVICES = Resource("", "v1", "services", "Service", namespaced=True, type=core_v1.Service)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", namespaced=True, type=core_v1.ConfigMap)
SECRETS = Resource("", "v1", "secrets", "Secret", namespaced=True, type=core_v1.Secret)
SERVICE_ACCOUNTS = Resource(
    "", "v1", "serviceaccounts", "ServiceAccount", namespaced=True, type=core_v1.ServiceAccount
)
EVENTS = Resource("", "v1", "events", "Event", namespaced=True, type=core_v1.Event)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", namespaced=True, type=apps_v1.Deployment)
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet", namespaced=True, type=apps_v1.ReplicaSet)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease", namespaced=True, type=coordination_v1.Lease)
ENDPOINT_SLICES = Resource(
    "discovery.k8s.io",
    "v1",
    "endpointslices",
    "EndpointSlice",
    namespaced=True,
    type=discovery_v1.EndpointSlice,
)
_RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(_RBAC, "v1", "roles", "Role", namespaced=True, type=rbac_v1.Role)
ROLE_BINDINGS = Resource(
    _RBAC, "v1", "rolebindings", "RoleBinding", namespaced=True, type=rbac_v1.RoleBinding
)
CLUSTER_ROLES = Resource(
    _RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False, type=rbac_v1.ClusterRole
)
CLUSTER_ROLE_BINDINGS = Resource(
    _RBAC,
    "v1",
    "clusterrolebindings",
    "ClusterRoleBinding",
    namespaced=False,
    type=rbac_v1.ClusterRoleBinding,
)

ALL: tuple[Resource[Any], ...] = (
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    EVENTS,
    DEPLOYMENTS,
    REPLICA_SETS,
    LEASES,
    ENDPOINT_SLICES,
    ROLES,
    ROLE_BINDINGS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
)
