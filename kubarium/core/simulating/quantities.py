"""Amounts in objects of files that are none, by the fields in which they stand."""

from __future__ import annotations

from typing import Any, Final

from kubarium.core.simulating.manifests import Item, Json
from machinery.model.quantity import parse

_WHERE: Final = {
    "Node": (("status", "allocatable"), ("status", "capacity")),
    "PersistentVolume": (("spec", "capacity"),),
    "PersistentVolumeClaim": (("spec", "resources", "requests"), ("status", "capacity")),
    "Pod": (
        ("spec", "overhead"),
        ("spec", "resources", "requests"),
        ("spec", "resources", "limits"),
        *(
            ("spec", containers, "resources", amounts)
            for containers in ("containers", "initContainers")
            for amounts in ("requests", "limits")
        ),
    ),
}


def with_quantities(item: Item) -> Json:
    """Return an object whose amounts are text, as the API has them: in YAML they may be numbers.

    Raises:
        ManifestError: one is no amount; the text names its field.
    """
    obj = item.obj
    for path in _WHERE.get(item.kind, ()):
        obj = _read(item, obj, path, "")
    return obj


def _read(item: Item, value: Any, path: tuple[str, ...], field: str) -> Any:
    """Return a value with the amounts that stand at a path below it; each item of a list on the way is looked at."""
    if isinstance(value, list):
        return [_read(item, each, path, f"{field}[{number}]") for number, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if not path:
        return {name: _amount(item, f"{field}.{name}", amount) for name, amount in value.items()}
    below = value.get(path[0])
    if not below:
        return value
    return {**value, path[0]: _read(item, below, path[1:], f"{field}.{path[0]}".lstrip("."))}


def _amount(item: Item, field: str, amount: Any) -> str:
    try:
        found = parse(amount)
    except (ValueError, TypeError) as error:
        raise item.refuse(f"{field}: {amount!r}: {error}") from error
    if found < 0:
        raise item.refuse(f"{field}: has to be 0 or more, not {amount!r}")
    return str(amount)
