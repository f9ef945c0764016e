"""RuntimeClass: a pod names the class of its runtime, and only the class says what that costs beside its containers.

RuntimeClasses are not built, so that there is none to be named.
https://kubernetes.io/docs/concepts/containers/runtime-class/
"""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, Plugin, Settings, about, forbidden
from apiserver.core.values import Json, spec
from machinery.model.k8s import served


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, _looked_up: LookedUp, _settings: Settings
) -> Json:
    if attributes.subresource or not attributes.creates(old):
        return obj
    name = spec(obj).get("runtimeClassName")
    if name is not None:
        raise forbidden(attributes, obj, f'pod rejected: RuntimeClass "{name}" not found')
    if "overhead" in spec(obj):
        text = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
        raise forbidden(attributes, obj, text)
    return obj


RUNTIME_CLASS: Final = Plugin("RuntimeClass", about(served.PODS), admit=_admit)
