"""DeviceAdminAccess: who asks for devices that are in use does so in a namespace that is labelled for it.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#admin-access
Kubernetes checks it where it stores claims and templates, and has no plugin by this name.
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.admission.attributes import Attributes, LookedUp, LookupKey, Plugin, Settings
from apiserver.core.values import Json, metadata, spec
from machinery.model.k8s import served

LABEL: Final = "resource.kubernetes.io/admin-access"
_CLAIMS: Final = (served.RESOURCE_CLAIMS.group, served.RESOURCE_CLAIMS.plural)
_TEMPLATES: Final = (served.RESOURCE_CLAIM_TEMPLATES.group, served.RESOURCE_CLAIM_TEMPLATES.plural)
_TEXT: Final = f"admin access to devices requires the `{LABEL}: true` label on the containing namespace"


def _key(attributes: Attributes) -> LookupKey:
    return ("", "namespaces", "", attributes.namespace)


def _asking(obj: Json, resource: tuple[str, str]) -> str:
    """Return the path of the first request for admin access; "" where there is none."""
    own = spec(obj) if resource == _CLAIMS else spec(spec(obj))
    for index, request in enumerate((own.get("devices") or {}).get("requests") or ()):
        if (request.get("exactly") or {}).get("adminAccess"):
            return f"spec.devices.requests[{index}].adminAccess"
    return ""


def _needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    if obj is None or not attributes.creates(old) or not _asking(obj, attributes.resource):
        return ()
    return (_key(attributes),)


def _validate(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    if not attributes.creates(old) or not (path := _asking(obj, attributes.resource)):
        return ()
    namespace = looked_up[_key(attributes)] or {}
    if (metadata(namespace).get("labels") or {}).get(LABEL) != "true":
        kind, name = obj.get("kind", ""), metadata(obj).get("name", "")
        cause = field_errors.forbidden(path, _TEXT)
        raise field_errors.invalid_object(f"{kind}.{_CLAIMS[0]}", name, [cause])
    return ()


DEVICE_ADMIN_ACCESS: Final = Plugin(
    "DeviceAdminAccess", frozenset({_CLAIMS, _TEMPLATES}), needs=_needs, validate=_validate
)
