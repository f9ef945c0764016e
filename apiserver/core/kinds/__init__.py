"""Every kind that this apiserver stores: one file a kind, one table of all.

The table feeds the registry (rules, keys), discovery and OpenAPI (names, verbs), printing and the watch cache
(field labels). A kind that is not here does not exist.
"""

from __future__ import annotations

from apiserver.core.kinds.configmaps import CONFIG_MAPS
from apiserver.core.kinds.deployments import DEPLOYMENTS
from apiserver.core.kinds.endpointslices import ENDPOINT_SLICES
from apiserver.core.kinds.events import EVENTS
from apiserver.core.kinds.kind import Kind, ScaleMapping, Subresource, WriteContext
from apiserver.core.kinds.leases import LEASES
from apiserver.core.kinds.namespaces import NAMESPACES
from apiserver.core.kinds.nodes import NODES
from apiserver.core.kinds.pods import PODS
from apiserver.core.kinds.rbac import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from apiserver.core.kinds.replicasets import REPLICA_SETS
from apiserver.core.kinds.secrets import SECRETS
from apiserver.core.kinds.serviceaccounts import SERVICE_ACCOUNTS
from apiserver.core.kinds.services import SERVICES

__all__ = ["ALL", "KINDS", "Kind", "ScaleMapping", "Subresource", "WriteContext"]

ALL: tuple[Kind, ...] = (
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

KINDS: dict[tuple[str, str], Kind] = {(kind.group, kind.plural): kind for kind in ALL}
"""By group ("" for core) and plural."""
