"""NamespaceLifecycle: nothing is created where there is no namespace, or where one is being emptied."""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import (
    Attributes,
    LookedUp,
    LookupKey,
    Plugin,
    Settings,
    about,
    forbidden,
)
from apiserver.core.values import Json
from machinery.model.errors import Cause, Forbidden, NotFound
from machinery.model.k8s import served

_ACCESS_REVIEWS: Final = (
    served.LOCAL_SUBJECT_ACCESS_REVIEWS.group,
    served.LOCAL_SUBJECT_ACCESS_REVIEWS.plural,
)
"""Answered whatever the state of their namespace: a refusal would tell of it to those who may not know."""
IMMORTAL: Final = frozenset({"default", "kube-public", "kube-system"})


def _key(namespace: str) -> LookupKey:
    return ("", served.NAMESPACES.plural, "", namespace)


def _needs(attributes: Attributes, obj: Json | None, _old: Json | None) -> tuple[LookupKey, ...]:
    if not attributes.namespace or obj is None or attributes.resource == _ACCESS_REVIEWS:
        return ()
    return (_key(attributes.namespace),)


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> Json:
    if not attributes.namespace or attributes.resource == _ACCESS_REVIEWS:
        return obj
    namespace = looked_up[_key(attributes.namespace)]
    if namespace is None:
        name = attributes.namespace
        raise NotFound(f'namespaces "{name}" not found', kind="namespaces", name=name)
    if attributes.creates(old) and (namespace.get("status") or {}).get("phase") == "Terminating":
        raise _terminating(attributes, obj)
    return obj


def _terminating(attributes: Attributes, obj: Json) -> Forbidden:
    name = attributes.namespace
    cause = Cause("metadata.namespace", f"namespace {name} is being terminated", "NamespaceTerminating")
    text = f"unable to create new content in namespace {name} because it is being terminated"
    return forbidden(attributes, obj, text, (cause,))


def _admit_delete(attributes: Attributes, old: Json, _looked_up: LookedUp) -> None:
    if old["metadata"]["name"] in IMMORTAL:
        raise forbidden(attributes, old, "this namespace may not be deleted")


NAMESPACE_LIFECYCLE: Final = Plugin("NamespaceLifecycle", needs=_needs, admit=_admit)
IMMORTAL_NAMESPACES: Final = Plugin(
    "NamespaceLifecycle", about(served.NAMESPACES), admit_delete=_admit_delete
)
