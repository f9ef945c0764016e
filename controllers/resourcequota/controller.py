"""What the ResourceQuota controller watches and looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from controllers.core.caches import Caches, Source
from controllers.core.controller import Controller, Key, LaterKinds, Settings, Watched
from controllers.core.definitions import DEFINITIONS, Definition
from controllers.core.documents import Document
from controllers.core.keys import key_of
from controllers.core.kinds import watched_kinds
from controllers.core.moment import Moment
from controllers.resourcequota.plan import QUOTAS, Seen, plan
from machinery.model.k8s.core_v1 import Pod, Service
from machinery.model.pods import is_terminal
from machinery.model.quota.evaluators import evaluator
from machinery.model.quota.usage import count_name
from machinery.model.requests import EventType
from machinery.model.resources import PODS, SERVICES, Resource
from machinery.model.store import Change

_LIMITING: Final = "limiting"  # quotas by what they count


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    namespaced = [kind for kind in settings.kinds if kind.namespaced]
    reader = Reader(caches, namespaced)
    definitions = caches.ask(DEFINITIONS, fields=("spec", "status"))
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
            Watched(definitions, reader.quotas_of_kind),
            *(
                Watched(source, reader.quotas_of(source, _is_gone))
                for source in others
                if source.collection not in own
            ),
        ),
        reader.look,
        plan,
        later=LaterKinds(reader.come, reader.gone),
        workers=5,
        writes=frozenset({"patch resourcequotas/status"}),
    )


class Reader:
    """Reads the quotas, and knows which of them a change is about; custom kinds are added, and go."""

    def __init__(self, caches: Caches, kinds: Iterable[Resource[Any]]) -> None:
        self.quotas = caches.ask(QUOTAS, fields=("spec", "status"), indexes={_LIMITING: _counted})
        self._kinds = {str(kind): kind for kind in kinds}

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a quota, unless it goes."""
        found = self.quotas.store.get(*key)
        return (
            None
            if found is None or found.metadata.deletionTimestamp
            else Seen(found, tuple(self._kinds.values()))
        )

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

    def quotas_of_kind(self, change: Change[Definition]) -> Iterable[Key]:
        """Return the quotas, in all namespaces, that limit the objects of a kind that comes, or goes."""
        spec = change.object.spec
        limiting = self.quotas.store.by_index(_LIMITING, count_name(spec.group, spec.names.plural))
        return [key_of(quota.metadata) for quota in limiting]

    def come(self, source: Source[Any]) -> tuple[Watched[Any], None]:
        """Count the objects of a custom kind, too."""
        if source.resource.namespaced:
            self._kinds[str(source.resource)] = source.resource
        return Watched(source, self.quotas_of(source, _is_gone)), None

    def gone(self, source: Source[Any]) -> None:
        """Count them no more."""
        self._kinds.pop(str(source.resource), None)


def _counted(quota: Document) -> Iterable[str]:
    return [name for name in quota.spec.get("hard") or () if name.startswith("count/")]


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
