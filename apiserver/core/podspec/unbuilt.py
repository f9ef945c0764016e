"""What a pod may ask for in Kubernetes and not here: the sentence of a 501, instead of a pod that lacks it in silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apiserver.core.podspec.paths import containers_with_paths
from apiserver.core.values import Json

_BUILT_PROJECTIONS: Final = frozenset({"configMap", "downwardAPI", "secret", "serviceAccountToken"})

_SPEC: Final[dict[str, str]] = {
    "schedulingGroup": "pods are scheduled one by one",
}


def unbuilt_in_spec(spec: Json, path: str) -> str:
    """Return the first thing in a pod's spec that Kubarium has not built; "" where there is none."""
    return next(_missing(spec, path), "")


def _missing(spec: Json, path: str) -> Iterator[str]:
    yield from _asked(spec, _SPEC, path)
    for index, volume in enumerate(spec.get("volumes") or []):
        yield from _in_volume(volume, f"{path}.volumes[{index}]")
    for container, where in containers_with_paths(spec, path):
        yield from _in_container(container, where)


def _asked(part: Json, table: dict[str, str], path: str) -> Iterator[str]:
    for name, why in table.items():
        value = part.get(name)
        if value is not None:
            yield f"{path}.{name} is not built" + (f": {why}" if why else "")


def _in_volume(volume: Json, path: str) -> Iterator[str]:
    for index, source in enumerate((volume.get("projected") or {}).get("sources") or []):
        for name in sorted(set(source) - _BUILT_PROJECTIONS):
            yield f"{path}.projected.sources[{index}].{name} is not built"


def _in_container(container: Json, path: str) -> Iterator[str]:
    yield from _in_lifecycle(container.get("lifecycle") or {}, f"{path}.lifecycle")


def _in_lifecycle(lifecycle: Json, path: str) -> Iterator[str]:
    if "stopSignal" in lifecycle:
        yield f"{path}.stopSignal is not built: containers are stopped with their image's signal"
