"""Classes of volumes' attributes that are protected."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from controllers import vac_protection
from controllers.core.documents import documents_of
from controllers.pvc_protection.plan import CLAIMS
from controllers.vac_protection.plan import CLASSES
from machinery.model.k8s.meta_v1 import ObjectMeta
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import document
from tests.support.trials.trial import Trial


class AttributesClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A VolumeAttributesClass."""

    apiVersion: str = msgspec.field(default_factory=lambda: CLASSES.api_version)
    kind: str = msgspec.field(default_factory=lambda: CLASSES.kind)
    metadata: ObjectMeta
    driverName: str
    parameters: dict[str, str]


async def a_class_is_held(world: CrashWorld) -> None:
    """While a claim has it."""
    classes, claims = replace(CLASSES, type=AttributesClass), documents_of(CLAIMS)
    for name in ("gold", "silver"):
        made = AttributesClass(metadata=ObjectMeta(name=name), driverName="d", parameters={"a": name})
        await world.server.given(classes, made)
    claim = {
        "volumeAttributesClassName": "gold",
        "resources": {"requests": {"storage": "1Gi"}},
        "accessModes": ["ReadWriteOnce"],
    }
    await world.server.given(claims, document(CLAIMS, "data", "default", spec=claim))
    await world.settle()
    for name in ("gold", "silver"):
        await world.user.delete(classes, name)
    await world.settle()
    assert [each.metadata.name for each in (await world.user.list(classes)).items] == ["gold"]
    protected = await world.user.get(claims, "data", namespace="default")
    await world.user.delete(claims, "data", namespace="default")
    await world.user.patch(claims, "data", {"metadata": {"finalizers": None}}, namespace="default")
    assert protected.metadata.finalizers
    await world.settle()
    assert not (await world.user.list(classes)).items


TRIALS = (Trial(a_class_is_held, (vac_protection.build,), writes=2),)
