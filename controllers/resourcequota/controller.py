"""What the ResourceQuota controller watches and looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from controllers.core.caches import Caches, Source
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.documents import Document
from controllers.core.keys import key_of
from controllers.core.kinds import watched_kinds
from controllers.core.moment import Moment
from controllers.resourcequota.plan import QUOTAS, Seen, plan
from machinery.model.k8s.core_v1 import Pod, Service
from machinery.model.pods import is_terminal
from machinery.model.quota.evaluators import evaluator
from machinery.model.requests import EventType
from machinery.model.resources import PODS, SERVICES
from machinery.model.store import Change


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    namespaced = tuple(kind for kind in settings.kinds if kind.namespaced)
    reader = Reader(caches, namespaced)
    pods = caches.ask(PODS, fields=("status.phase",))
    services = caches.ask(SERVICES, fields=("spec.ports", "spec.type"))
    others = [caches.ask_for_metadata(kind) for kind in watched_kinds(namespaced)]
    own = {source.collection for source in (pods, services, reader.quotas)}
    return Controller(
        "resourcequota-controller",
        (
            Watched(reader.quotas, itself_if_its_limits_changed),
            Watched(pods, reader.quotas_of(pods, _pod_takes_less)),
            Watched(services, reader.quotas_of(services, _service_takes_less)),
            *(
                Watched(source, reader.quotas_of(source, _is_gone))
                for source in others
                if source.collection not in own
            ),
        ),
        reader.look,
        plan,
        workers=5,
    )


class Reader:
    """Reads the quotas, and knows which of them a change is about."""

    def __init__(self, caches: Caches, kinds: tuple[Any, ...]) -> None:
        self.quotas = caches.ask(QUOTAS, fields=("spec", "status"))
        self._kinds = kinds

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a quota, unless it goes."""
        found = self.quotas.store.get(*key)
        return None if found is None or found.metadata.deletionTimestamp else Seen(found, self._kinds)

    def quotas_of(
        self, source: Source[Any], takes_less: Callable[[Change[Any]], bool]
    ) -> Callable[[Change[Any]], Iterable[Key]]:
        """Return what finds the quotas of which an object takes less after a change."""
        counting = evaluator(source.resource.group, source.resource.plural)

        def keys(change: Change[Any]) -> Iterable[Key]:
            if not takes_less(change):
                return
            for quota in self.quotas.store.list(change.object.metadata.namespace):
                if counting.tracked(frozenset(quota.spec.get("hard") or ())):
                    yield key_of(quota.metadata)

        return keys


def itself_if_its_limits_changed(change: Change[Document]) -> Iterable[Key]:
    """Return a quota that is new, or whose status does not show its limits yet; a charge is no news."""
    quota = change.object
    is_behind = (quota.spec.get("hard") or {}) != quota.status.get("hard", {})
    is_other = change.old is None or change.old.spec != quota.spec
    return (
        (key_of(quota.metadata),) if change.kind is not EventType.DELETED and (is_behind or is_other) else ()
    )


def _is_gone(change: Change[Any]) -> bool:
    return change.kind is EventType.DELETED


def _pod_takes_less(change: Change[Pod]) -> bool:
    ends = change.old is not None and not is_terminal(change.old) and is_terminal(change.object)
    return _is_gone(change) or ends


def _service_takes_less(change: Change[Service]) -> bool:
    old, new = change.old, change.object
    return _is_gone(change) or (
        old is not None and (old.spec.type, len(old.spec.ports)) != (new.spec.type, len(new.spec.ports))
    )
