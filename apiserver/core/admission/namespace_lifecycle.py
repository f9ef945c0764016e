"""NamespaceLifecycle: nothing is created where there is no namespace, or where one is being emptied.

And the two optional plugins that are about the same: NamespaceExists, NamespaceAutoProvision.
https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#namespacelifecycle
"""

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
        raise _missing(attributes.namespace)
    if attributes.creates(old) and (namespace.get("status") or {}).get("phase") == "Terminating":
        raise _terminating(attributes, obj)
    return obj


def _missing(name: str) -> NotFound:
    return NotFound(f'namespaces "{name}" not found', kind="namespaces", name=name)


def _terminating(attributes: Attributes, obj: Json) -> Forbidden:
    name = attributes.namespace
    cause = Cause("metadata.namespace", f"namespace {name} is being terminated", "NamespaceTerminating")
    text = f"unable to create new content in namespace {name} because it is being terminated"
    return forbidden(attributes, obj, text, (cause,))


def _admit_delete(attributes: Attributes, old: Json, _looked_up: LookedUp) -> None:
    if old["metadata"]["name"] in IMMORTAL:
        raise forbidden(attributes, old, "this namespace may not be deleted")


def _exists(attributes: Attributes, looked_up: LookedUp) -> bool:
    name = attributes.namespace
    return not name or attributes.resource == _ACCESS_REVIEWS or looked_up[_key(name)] is not None


def _needs_always(attributes: Attributes, _obj: Json | None, _old: Json | None) -> tuple[LookupKey, ...]:
    return (_key(attributes.namespace),) if attributes.namespace else ()


def _insist(
    attributes: Attributes, _obj: Json, _old: Json | None, looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    if not _exists(attributes, looked_up):
        raise _missing(attributes.namespace)
    return ()


def _insist_on_delete(attributes: Attributes, _old: Json, looked_up: LookedUp) -> None:
    if not _exists(attributes, looked_up):
        raise _missing(attributes.namespace)


NAMESPACE_AUTO_PROVISION: Final = Plugin("NamespaceAutoProvision", needs=_needs)
"""Off by default. The namespace that is looked up and missing is created by `apiserver.admission.namespaces`."""
NAMESPACE_LIFECYCLE: Final = Plugin("NamespaceLifecycle", needs=_needs, admit=_admit)
IMMORTAL_NAMESPACES: Final = Plugin(
    "NamespaceLifecycle", about(served.NAMESPACES), admit_delete=_admit_delete
)
NAMESPACE_EXISTS: Final = Plugin(
    "NamespaceExists", needs=_needs_always, validate=_insist, admit_delete=_insist_on_delete
)
"""Off by default: the same of every write, and without what else NamespaceLifecycle does."""
