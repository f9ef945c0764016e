"""ExtendedResourceToleration: who asks for a device tolerates the taint of the nodes that have it; not on by default.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#extendedresourcetoleration
"""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, Plugin, Settings, about
from apiserver.core.values import Json, spec
from machinery.model.k8s import served
from machinery.model.quota.usage import is_extended


def _admit(
    attributes: Attributes, obj: Json, _old: Json | None, _looked_up: LookedUp, _settings: Settings
) -> Json:
    own = spec(obj)
    names = {
        name
        for container in (*(own.get("containers") or ()), *(own.get("initContainers") or ()))
        for name in (container.get("resources") or {}).get("requests") or ()
        if is_extended(name)
    }
    tolerations = own.get("tolerations") or []
    added = [
        made
        for name in sorted(names)
        if (made := {"key": name, "operator": "Exists", "effect": "NoSchedule"}) not in tolerations
    ]
    if attributes.subresource or not added:
        return obj
    return {**obj, "spec": {**own, "tolerations": [*tolerations, *added]}}


EXTENDED_RESOURCE_TOLERATION: Final = Plugin("ExtendedResourceToleration", about(served.PODS), admit=_admit)
