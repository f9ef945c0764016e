"""What the ServiceAccount controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself, namespace_of
from controllers.core.moment import Moment
from controllers.serviceaccount.plan import DEFAULT, ROOT_CA, Seen, plan
from machinery.model.k8s.core_v1 import ServiceAccount
from machinery.model.requests import EventType, Selection
from machinery.model.resources import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS
from machinery.model.store import Change


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    namespaces = caches.ask(NAMESPACES, fields=("status.phase",))
    accounts = caches.ask(SERVICE_ACCOUNTS, fields=())
    root_cas = caches.ask(CONFIG_MAPS, Selection(field_selector=f"metadata.name={ROOT_CA}"))

    def look(key: Key, _moment: Moment) -> Seen | None:
        name = key[1]
        namespace = namespaces.store.get("", name)
        if namespace is None:
            return None
        account, root_ca = accounts.store.get(name, DEFAULT), root_cas.store.get(name, ROOT_CA)
        return Seen(namespace, account, root_ca, settings.root_ca)

    return Controller(
        "serviceaccount-controller",
        (
            Watched(namespaces, itself),
            Watched(accounts, namespace_of_default_account),
            Watched(root_cas, namespace_of),
        ),
        look,
        plan,
        workers=5,
        writes=frozenset({"create serviceaccounts", "create configmaps", "patch configmaps"}),
    )


def namespace_of_default_account(change: Change[ServiceAccount]) -> Iterable[Key]:
    """Return the namespace whose default ServiceAccount is gone."""
    meta = change.object.metadata
    gone = change.kind is EventType.DELETED and meta.name == DEFAULT
    return (("", meta.namespace),) if gone else ()
