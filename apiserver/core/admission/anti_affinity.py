"""LimitPodHardAntiAffinityTopology: no pod keeps others away from more than its node; not on by default.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#limitpodhardantiaffinitytopology
"""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, Plugin, Settings, about, forbidden
from apiserver.core.values import Json, spec
from machinery.model.k8s import served

_HOSTNAME: Final = "kubernetes.io/hostname"


def _validate(
    attributes: Attributes, obj: Json, _old: Json | None, _looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    apart = (spec(obj).get("affinity") or {}).get("podAntiAffinity") or {}
    for term in apart.get("requiredDuringSchedulingIgnoredDuringExecution") or ():
        if (key := term.get("topologyKey")) != _HOSTNAME and not attributes.subresource:
            text = f"affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey {key} but only key {_HOSTNAME} is allowed"
            raise forbidden(attributes, obj, text)
    return ()


HARD_ANTI_AFFINITY: Final = Plugin("LimitPodHardAntiAffinityTopology", about(served.PODS), validate=_validate)
