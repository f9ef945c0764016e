"""DefaultTolerationSeconds: how long a pod that says nothing stays on a node that nobody hears of."""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, Plugin, Settings, about
from apiserver.core.values import Json, spec
from machinery.model.k8s import served
from machinery.model.taints import NO_EXECUTE, NOT_READY, UNREACHABLE


def _admit(
    attributes: Attributes, obj: Json, _old: Json | None, _looked_up: LookedUp, settings: Settings
) -> Json:
    if attributes.subresource:
        return obj
    own = spec(obj).get("tolerations") or []
    missing = [_for(key, settings) for key in (NOT_READY, UNREACHABLE) if not _says(own, key)]
    return {**obj, "spec": {**spec(obj), "tolerations": [*own, *missing]}} if missing else obj


def _says(tolerations: list[Json], key: str) -> bool:
    return any(
        toleration.get("key", "") in {"", key} and toleration.get("effect", "") in {"", NO_EXECUTE}
        for toleration in tolerations
    )


def _for(key: str, settings: Settings) -> Json:
    return {
        "key": key,
        "operator": "Exists",
        "effect": NO_EXECUTE,
        "tolerationSeconds": settings.default_toleration_s,
    }


DEFAULT_TOLERATIONS: Final = Plugin("DefaultTolerationSeconds", about(served.PODS), admit=_admit)
