"""AlwaysPullImages: a node asks the registry for every image that a pod names, with the pod's credentials; not on by default.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#alwayspullimages
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, Plugin, Settings, about, forbidden
from apiserver.core.values import Json, spec
from machinery.model.k8s import served

_ALWAYS: Final = "Always"
_CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, _looked_up: LookedUp, _settings: Settings
) -> Json:
    if attributes.subresource or (old is not None and _images(obj) <= _images(old)):
        return obj
    own = spec(obj)
    containers = {
        field: [{**container, "imagePullPolicy": _ALWAYS} for container in own[field]]
        for field in _CONTAINERS
        if own.get(field)
    }
    volumes = {"volumes": [*map(_pulled, own["volumes"])]} if own.get("volumes") else {}
    return {**obj, "spec": {**own, **containers, **volumes}}


def _pulled(volume: Json) -> Json:
    image = volume.get("image")
    return volume if image is None else {**volume, "image": {**image, "pullPolicy": _ALWAYS}}


def _images(pod: Json) -> set[str]:
    return {container.get("image", "") for _, container in _listed(pod)}


def _listed(pod: Json) -> Iterator[tuple[str, Json]]:
    for field in _CONTAINERS:
        for index, container in enumerate(spec(pod).get(field) or ()):
            yield f"spec.{field}[{index}]", container


def _validate(
    attributes: Attributes, obj: Json, old: Json | None, _looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    if attributes.subresource or (old is not None and _images(obj) <= _images(old)):
        return ()
    for path, container in _listed(obj):
        if (policy := container.get("imagePullPolicy")) != _ALWAYS:
            text = (
                f'{path}.imagePullPolicy: Unsupported value: "{policy or ""}": supported values: "{_ALWAYS}"'
            )
            raise forbidden(attributes, obj, text)
    return ()


ALWAYS_PULL_IMAGES: Final = Plugin("AlwaysPullImages", about(served.PODS), admit=_admit, validate=_validate)
