"""What the aggregation of ClusterRoles watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from controllers.clusterrole_aggregation.plan import Seen, plan
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.moment import Moment
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.k8s.rbac_v1 import ClusterRole
from machinery.model.requests import EventType
from machinery.model.resources import CLUSTER_ROLES
from machinery.model.store import Change

_LABELLED = "labelled"  # roles by each of their labels
_GATHERING = "gathering"  # aggregated roles by a label that what they gather has
_ANY = ""  # where a selector names no such label


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    roles = caches.ask(
        CLUSTER_ROLES,
        fields=("metadata.labels", "aggregationRule", "rules"),
        indexes={_LABELLED: _labels, _GATHERING: lambda role: {_needed(each) for each in _selectors(role)}},
    )
    store = roles.store

    def keys(change: Change[ClusterRole]) -> Iterable[Key]:
        """Return the roles that may gather this one, or have: a label that has gone counts as one that has come."""
        labels = {_ANY}
        for each in (change.old, change.new):
            labels.update(_labels(each) if each is not None else ())
        found = {role.metadata.name for label in labels for role in store.by_index(_GATHERING, label)}
        if change.kind is not EventType.DELETED and _selectors(change.object):
            found.add(change.object.metadata.name)
        return [("", name) for name in sorted(found)]

    def look(key: Key, _moment: Moment) -> Seen | None:
        role = store.get("", key[1])
        if role is None or role.aggregationRule is None:
            return None
        return Seen(role, tuple((each, tuple(candidates(each))) for each in _selectors(role)))

    def candidates(selector: LabelSelector) -> list[ClusterRole]:
        label = _needed(selector)
        found = store.list() if label == _ANY else store.by_index(_LABELLED, label)
        return sorted(found, key=lambda one: one.metadata.name)

    return Controller(
        "clusterrole-aggregation-controller",
        (Watched(roles, keys),),
        look,
        plan,
        writes=frozenset({"patch clusterroles.rbac.authorization.k8s.io"}),
    )


def _selectors(role: ClusterRole) -> list[LabelSelector]:
    return role.aggregationRule.clusterRoleSelectors if role.aggregationRule is not None else []


def _needed(selector: LabelSelector) -> str:
    """Return a label without which nothing is selected; "" where there is none such."""
    return next((f"{key}={value}" for key, value in sorted(selector.matchLabels.items())), _ANY)


def _labels(role: ClusterRole) -> Iterator[str]:
    return (f"{key}={value}" for key, value in role.metadata.labels.items())
