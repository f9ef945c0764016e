"""Which Secrets a pod names, as JSON has it: for its volumes, its environment, its images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_BY_REFERENCE: Final = frozenset({"nodePublishSecretRef", "secret", "secretKeyRef", "secretRef"})


def secrets_of(pod: dict[str, Any]) -> frozenset[str]:
    """Return the names of the Secrets of a pod's namespace that it names."""
    spec = pod.get("spec", {})
    images = (each.get("name", "") for each in spec.get("imagePullSecrets") or ())
    return frozenset({*images, *_named_in(spec)} - {""})


def _named_in(value: Any) -> Iterator[str]:
    """Yield what is named at any depth: every kind of volume that has a Secret names it in one of two ways."""
    if isinstance(value, list):
        for each in value:
            yield from _named_in(each)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key in _BY_REFERENCE and isinstance(part, dict):
                yield part.get("name", "")
            elif key == "secretName" and isinstance(part, str):
                yield part
            yield from _named_in(part)
