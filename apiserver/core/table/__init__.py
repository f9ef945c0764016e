"""How objects are printed: one file for each family of kinds, one table of all."""

from __future__ import annotations

from typing import Final

from apiserver.core.table import configuration, events, network, nodes, pods, rbac, workloads
from apiserver.core.table.table import NAME, Cells, Column, Moment, Table
from apiserver.core.values import Json, metadata

__all__ = ["Column", "Moment", "Table", "table_of"]

_RBAC: Final = "rbac.authorization.k8s.io"
_TABLES: Final[dict[tuple[str, str], Table]] = {
    ("", "ConfigMap"): configuration.CONFIG_MAPS,
    ("", "Event"): events.EVENTS,
    ("", "Namespace"): configuration.NAMESPACES,
    ("", "Node"): nodes.NODES,
    ("", "Pod"): pods.PODS,
    ("", "Secret"): configuration.SECRETS,
    ("", "Service"): network.SERVICES,
    ("", "ServiceAccount"): configuration.SERVICE_ACCOUNTS,
    ("apps", "Deployment"): workloads.DEPLOYMENTS,
    ("apps", "ReplicaSet"): workloads.REPLICA_SETS,
    ("coordination.k8s.io", "Lease"): nodes.LEASES,
    ("discovery.k8s.io", "EndpointSlice"): network.ENDPOINT_SLICES,
    (_RBAC, "ClusterRole"): rbac.ROLES,
    (_RBAC, "ClusterRoleBinding"): rbac.BINDINGS,
    (_RBAC, "Role"): rbac.ROLES,
    (_RBAC, "RoleBinding"): rbac.BINDINGS,
}


def table_of(group: str, kind: str) -> Table:
    """Give the table of a kind; one that has none of its own shows names and times."""
    return _TABLES.get((group, kind), _ANY)


def _any(obj: Json, _moment: Moment) -> Cells:
    meta = metadata(obj)
    return [meta.get("name", ""), meta.get("creationTimestamp") or ""]


_ANY: Final = Table((NAME, Column("Created At", "date", description="When it was created.")), _any)
