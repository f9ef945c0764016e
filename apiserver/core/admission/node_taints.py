"""TaintNodesByCondition: a new node takes no pods before the node lifecycle controller has seen it Ready."""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, Plugin, Settings, about
from apiserver.core.values import Json, spec
from machinery.model.k8s import served
from machinery.model.taints import NO_SCHEDULE, NOT_READY


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, _looked_up: LookedUp, _settings: Settings
) -> Json:
    if attributes.subresource or not attributes.creates(old):
        return obj
    taints = spec(obj).get("taints") or []
    if any((taint.get("key"), taint.get("effect")) == (NOT_READY, NO_SCHEDULE) for taint in taints):
        return obj
    return {**obj, "spec": {**spec(obj), "taints": [*taints, {"key": NOT_READY, "effect": NO_SCHEDULE}]}}


TAINT_NODES_BY_CONDITION: Final = Plugin("TaintNodesByCondition", about(served.NODES), admit=_admit)
