"""The rules of every kind of Kubernetes that has some: one file a kind, one table of all.

What the kinds are called is generated (`machinery.model.k8s.served`); one that is not in this table has no rules of
its own. A file whose kind is not in it waits: its facts stand apart in `tools/kind_facts.py` (`NEXT`), and the kind
is not served. Only the composition root imports this package: everybody else is handed a `Catalogue`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from apiserver.core.kind import Kind, make_kind
from apiserver.core.kinds import (
    configmaps,
    deployments,
    endpointslices,
    events,
    leases,
    namespaces,
    nodes,
    pods,
    rbac,
    replicasets,
    secrets,
    serviceaccounts,
    services,
)
from apiserver.core.rules import Rules
from machinery.model.k8s import served
from machinery.model.kinds import KindNames

RULES: Final[Mapping[KindNames, Rules]] = {
    served.NAMESPACES: namespaces.RULES,
    served.NODES: nodes.RULES,
    served.PODS: pods.RULES,
    served.SERVICES: services.RULES,
    served.CONFIG_MAPS: configmaps.RULES,
    served.SECRETS: secrets.RULES,
    served.SERVICE_ACCOUNTS: serviceaccounts.RULES,
    served.EVENTS: events.RULES,
    served.DEPLOYMENTS: deployments.RULES,
    served.REPLICA_SETS: replicasets.RULES,
    served.LEASES: leases.RULES,
    served.ENDPOINT_SLICES: endpointslices.RULES,
    served.ROLES: rbac.ROLES,
    served.ROLE_BINDINGS: rbac.ROLE_BINDINGS,
    served.CLUSTER_ROLES: rbac.CLUSTER_ROLES,
    served.CLUSTER_ROLE_BINDINGS: rbac.CLUSTER_ROLE_BINDINGS,
}


def _make_all() -> tuple[Kind, ...]:
    made: dict[KindNames, Kind] = {}
    for names in served.STORED:  # the version that is stored comes before the others
        stored = served.STORED_AS.get(names)
        made[names] = make_kind(names, RULES.get(names), stored=made[stored] if stored else None)
    return tuple(made.values())


ALL: Final[tuple[Kind, ...]] = _make_all()

KINDS: Final[Mapping[tuple[str, str], Kind]] = {(kind.group, kind.plural): kind for kind in ALL}
"""By group ("" for core) and plural."""
