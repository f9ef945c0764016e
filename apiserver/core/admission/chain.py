"""The plugins in their order. Each sees what those before it have made of the object."""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, LookupKey, Plugin, Settings
from apiserver.core.admission.default_tolerations import DEFAULT_TOLERATIONS
from apiserver.core.admission.namespace_lifecycle import IMMORTAL_NAMESPACES, NAMESPACE_LIFECYCLE
from apiserver.core.admission.node_restriction import NODE_RESTRICTION
from apiserver.core.admission.node_taints import TAINT_NODES_BY_CONDITION
from apiserver.core.admission.pod_security import POD_SECURITY
from apiserver.core.admission.priority import PRIORITY
from apiserver.core.admission.runtime_class import RUNTIME_CLASS
from apiserver.core.admission.service_account import SERVICE_ACCOUNT
from apiserver.core.values import Json

CHAIN: Final[tuple[Plugin, ...]] = (
    NAMESPACE_LIFECYCLE,
    IMMORTAL_NAMESPACES,
    SERVICE_ACCOUNT,
    NODE_RESTRICTION,
    TAINT_NODES_BY_CONDITION,
    PRIORITY,
    DEFAULT_TOLERATIONS,
    RUNTIME_CLASS,
    POD_SECURITY,
)


_EVERYWHERE: Final = tuple(plugin for plugin in CHAIN if plugin.about is None)
_ABOUT: Final = {
    resource: tuple(plugin for plugin in CHAIN if plugin.about is None or resource in plugin.about)
    for resource in frozenset[tuple[str, str]]().union(*(plugin.about or () for plugin in CHAIN))
}

_VALIDATORS: Final = {
    resource: tuple(plugin.validate for plugin in plugins if plugin.validate is not None)
    for resource, plugins in _ABOUT.items()
}


def _plugins(attributes: Attributes) -> tuple[Plugin, ...]:
    return _ABOUT.get(attributes.resource, _EVERYWHERE)


def needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    """Return the keys of what `admit` and `admit_delete` will look up: no key twice.

    `obj` is the object of the request (None for a delete), `old` the stored one (None where there is none).
    """
    asked = (key for plugin in _plugins(attributes) for key in plugin.needs(attributes, obj, old))
    return tuple(dict.fromkeys(asked))


def admit(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, settings: Settings
) -> Json:
    """Return the object as the cluster wants it; `obj` itself is left alone.

    `looked_up` has every key that `needs` named. The result is defaulted as far as `obj` was. Settings and looked_up
    aside it depends on nothing, so a write that lost a race runs it again from the request's object.

    Raises:
        Forbidden: the cluster does not want it.
        NotFound: its namespace, or the pod that it speaks of, is not there.
    """
    for plugin in _plugins(attributes):
        obj = plugin.admit(attributes, obj, old, looked_up, settings)
    return obj


def validate(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, settings: Settings
) -> tuple[str, ...]:
    """Check an object as it would be stored; returns what to warn the client of.

    `looked_up` is what `admit` had: what is asked for does not depend on what plugins and rules add.

    Raises:
        Forbidden: the cluster does not want it.
        Invalid: it breaks a rule of a plugin's own.
    """
    warnings: tuple[str, ...] = ()
    for validate_by in _VALIDATORS.get(attributes.resource, ()):
        warnings += validate_by(attributes, obj, old, looked_up, settings)
    return warnings


def admit_delete(attributes: Attributes, old: Json, looked_up: LookedUp) -> None:
    """Check that an object may be deleted.

    Raises:
        Forbidden: it has to stay, or the caller may not.
    """
    for plugin in _plugins(attributes):
        plugin.admit_delete(attributes, old, looked_up)
