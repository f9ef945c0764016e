"""The resources that components speak about: what each is called in the API, and its type here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from machinery.model.k8s import (
    apps_v1,
    authorization_v1,
    certificates_v1,
    coordination_v1,
    core_v1,
    discovery_v1,
    meta_v1,
    networking_v1,
    policy_v1,
    rbac_v1,
    resource_v1,
    served,
    storage_v1,
)
from machinery.model.kinds import KindNames


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
        """Return what objects carry as apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


def resource_of(names: KindNames, type_: type[T]) -> Resource[T]:
    """Return the resource of a kind."""
    return Resource(names.group, names.version, names.plural, names.kind, names.namespaced, type_)


NAMESPACES = resource_of(served.NAMESPACES, core_v1.Namespace)
NODES = resource_of(served.NODES, core_v1.Node)
PODS = resource_of(served.PODS, core_v1.Pod)
SERVICES = resource_of(served.SERVICES, core_v1.Service)
ENDPOINTS = resource_of(served.ENDPOINTS, core_v1.Endpoints)
CONFIG_MAPS = resource_of(served.CONFIG_MAPS, core_v1.ConfigMap)
SECRETS = resource_of(served.SECRETS, core_v1.Secret)
SERVICE_ACCOUNTS = resource_of(served.SERVICE_ACCOUNTS, core_v1.ServiceAccount)
PERSISTENT_VOLUMES = resource_of(served.PERSISTENT_VOLUMES, core_v1.PersistentVolume)
PERSISTENT_VOLUME_CLAIMS = resource_of(served.PERSISTENT_VOLUME_CLAIMS, core_v1.PersistentVolumeClaim)
STORAGE_CLASSES = resource_of(served.STORAGE_CLASSES, storage_v1.StorageClass)
VOLUME_ATTACHMENTS = resource_of(served.VOLUME_ATTACHMENTS, storage_v1.VolumeAttachment)
CSI_DRIVERS = resource_of(served.CSI_DRIVERS, storage_v1.CSIDriver)
CSI_NODES = resource_of(served.CSI_NODES, storage_v1.CSINode)
CSI_STORAGE_CAPACITIES = resource_of(served.CSI_STORAGE_CAPACITIES, storage_v1.CSIStorageCapacity)
DEVICE_CLASSES = resource_of(served.DEVICE_CLASSES, resource_v1.DeviceClass)
RESOURCE_CLAIMS = resource_of(served.RESOURCE_CLAIMS, resource_v1.ResourceClaim)
RESOURCE_CLAIM_TEMPLATES = resource_of(served.RESOURCE_CLAIM_TEMPLATES, resource_v1.ResourceClaimTemplate)
RESOURCE_SLICES = resource_of(served.RESOURCE_SLICES, resource_v1.ResourceSlice)
EVENTS = resource_of(served.EVENTS, core_v1.Event)
DEPLOYMENTS = resource_of(served.DEPLOYMENTS, apps_v1.Deployment)
REPLICA_SETS = resource_of(served.REPLICA_SETS, apps_v1.ReplicaSet)
LEASES = resource_of(served.LEASES, coordination_v1.Lease)
IP_ADDRESSES = resource_of(served.IP_ADDRESSES, networking_v1.IPAddress)
INGRESSES = resource_of(served.INGRESSES, networking_v1.Ingress)
INGRESS_CLASSES = resource_of(served.INGRESS_CLASSES, networking_v1.IngressClass)
NETWORK_POLICIES = resource_of(served.NETWORK_POLICIES, networking_v1.NetworkPolicy)
SERVICE_CIDRS = resource_of(served.SERVICE_CIDRS, networking_v1.ServiceCIDR)
ENDPOINT_SLICES = resource_of(served.ENDPOINT_SLICES, discovery_v1.EndpointSlice)
POD_DISRUPTION_BUDGETS = resource_of(served.POD_DISRUPTION_BUDGETS, policy_v1.PodDisruptionBudget)
ROLES = resource_of(served.ROLES, rbac_v1.Role)
ROLE_BINDINGS = resource_of(served.ROLE_BINDINGS, rbac_v1.RoleBinding)
CLUSTER_ROLES = resource_of(served.CLUSTER_ROLES, rbac_v1.ClusterRole)
CLUSTER_ROLE_BINDINGS = resource_of(served.CLUSTER_ROLE_BINDINGS, rbac_v1.ClusterRoleBinding)
CERTIFICATE_SIGNING_REQUESTS = resource_of(
    served.CERTIFICATE_SIGNING_REQUESTS, certificates_v1.CertificateSigningRequest
)

SUBJECT_ACCESS_REVIEWS = resource_of(served.SUBJECT_ACCESS_REVIEWS, authorization_v1.SubjectAccessReview)

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
