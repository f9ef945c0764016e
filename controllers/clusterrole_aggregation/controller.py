"""What the aggregation of ClusterRoles watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable

from controllers.clusterrole_aggregation.plan import Seen, plan
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.moment import Moment
from machinery.model.k8s.rbac_v1 import ClusterRole
from machinery.model.requests import EventType
from machinery.model.resources import CLUSTER_ROLES
from machinery.model.store import Change

_AGGREGATED = "aggregated"


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    roles = caches.ask(
        CLUSTER_ROLES,
        fields=("metadata.labels", "aggregationRule", "rules"),
        indexes={_AGGREGATED: lambda role: (_AGGREGATED,) if role.aggregationRule is not None else ()},
    )

    def keys(change: Change[ClusterRole]) -> Iterable[Key]:
        """Return every aggregated role: a label that has gone says nothing of those that had matched it."""
        aggregated = {role.metadata.name for role in roles.store.by_index(_AGGREGATED, _AGGREGATED)}
        if change.object.aggregationRule is not None and change.kind is not EventType.DELETED:
            aggregated.add(change.object.metadata.name)
        return [("", name) for name in sorted(aggregated)]

    def look(key: Key, _moment: Moment) -> Seen | None:
        role = roles.store.get("", key[1])
        if role is None or role.aggregationRule is None:
            return None
        return Seen(role, tuple(sorted(roles.store.list(), key=lambda one: one.metadata.name)))

    return Controller("clusterrole-aggregation-controller", (Watched(roles, keys),), look, plan)
