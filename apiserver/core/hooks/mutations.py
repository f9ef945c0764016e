"""What the expressions of a MutatingAdmissionPolicy do to an object.

https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from apiserver.core.apply.check import problems
from apiserver.core.apply.items import element_of
from apiserver.core.apply.merge import merge
from apiserver.core.apply.topology import Granular, Items, Leaf, Topology
from apiserver.core.patch.json_patch import DoesNotApply, json_patch
from apiserver.core.values import Json
from machinery.cel.values import Duration, Optional, Timestamp, format_duration, format_timestamp
from machinery.model.errors import ApiError

_TEST_FAILED: Final = "failed: test failed"
_ATOMIC: Final = {"list": list, "map": dict}


_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    bytes: lambda value: base64.b64encode(value).decode(),
    Timestamp: format_timestamp,
    Duration: format_duration,
}


def changed(obj: Json, patch_type: str, value: Any, merged_with: Callable[[Json, Json], Json]) -> Json:
    """Return an object after a mutation of which `value` is what its expression came to.

    Raises:
        ValueError: it cannot be applied; the text says why.
    """
    if patch_type == "JSONPatch":
        return _patched(obj, to_json(value))
    config = to_json(value)
    said = config if isinstance(config, dict) else {}  # its type was checked
    return merged_with(obj, {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), **said})


def merged(topology: Granular, obj: Json, config: Json) -> Json:
    """Merge an apply configuration into an object by its schema; what has one owner only may not be in it.

    Raises:
        ValueError: it does not fit.
    """
    if wrong := problems(topology, config):
        text = f"failed to convert patch object to typed object: {'; '.join(wrong)}"
        raise ValueError(f"error applying patch: {text}")
    if atomic := list(_atomics(topology, config, "")):
        text = f"may not mutate atomic arrays, maps or structs: {', '.join(atomic)}"
        raise ValueError(f"error applying patch: invalid ApplyConfiguration: {text}")
    result: Json = merge(topology, obj, config)
    return result


def _patched(obj: Json, operations: Any) -> Json:
    try:
        return json_patch(obj, operations)
    except DoesNotApply as error:
        if _TEST_FAILED in error.problem:  # a test that fails means: leave it as it is
            return obj
        raise ValueError(f"JSONPath: {error.problem}") from error
    except ApiError as error:
        raise ValueError(f"JSONPath: {error.message}") from error


def _atomics(topology: Topology, value: Any, path: str) -> Iterator[str]:
    """Yield the places of lists and maps that can only be set as a whole."""
    if isinstance(topology, Leaf) and isinstance(value, _ATOMIC.get(topology.accepts, ())):
        yield path
    if isinstance(topology, Granular) and isinstance(value, dict):
        for name, item in value.items():
            child = topology.fields.get(name) or topology.rest
            if child is not None:
                yield from _atomics(child, item, f"{path}.{name}")
    if isinstance(topology, Items) and isinstance(value, list):
        for item in value:
            yield from _atomics(topology.item, item, f"{path}[{element_of(topology, item)[2:]}]")


def to_json(value: Any) -> Any:
    """Return a value of an expression as JSON has it.

    Raises:
        ValueError: JSON has no such value.
    """
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Optional):
        return to_json(value.value) if value.present else None
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"JSONPath valueExpression evaluated to a type that could not marshal to JSON: {value}")
