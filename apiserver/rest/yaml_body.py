"""YAML bodies, as JSON bytes that say what the YAML says: keys that it repeats are repeated.

Kubernetes reads YAML 1.1 without dates: an unquoted 2024-01-01 stays a string. Aliases are followed up to a bound
on what they unfold to, so that a small text cannot become a large one.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from machinery.model.errors import BadRequest

_LARGEST: Final = 3 * 1024 * 1024  # bytes of JSON: what a JSON body may have
_DEEPEST: Final = 200
_NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))


def yaml_to_json(data: bytes) -> bytes:
    """Write one YAML document as JSON.

    Raises:
        BadRequest: it is no YAML, more than one document, or too much of it.
    """
    import yaml

    try:
        text = data.decode("utf-8-sig")
        node = yaml.compose(text, Loader=_loader())
        if node is None:
            return b"null"
        return _Writer().write(node)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
        raise BadRequest(f"couldn't read the body as YAML: {error}") from error


def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Writer:
    """Unfolds a graph of YAML nodes."""

    def __init__(self) -> None:
        from yaml.constructor import SafeConstructor

        self._scalars = SafeConstructor()
        self._parts: list[str] = []
        self._size = 0

    def write(self, node: Any) -> bytes:
        self._node(node, 0)
        return "".join(self._parts).encode()

    def _put(self, text: str) -> None:
        self._size += len(text)
        if self._size > _LARGEST:
            raise ValueError("its aliases unfold to more than 3 MiB")
        self._parts.append(text)

    def _node(self, node: Any, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        match node.id:
            case "mapping":
                self._mapping(node, depth)
            case "sequence":
                self._sequence(node, depth)
            case _:
                self._put(self._scalar(node))

    def _sequence(self, node: Any, depth: int) -> None:
        self._put("[")
        for index, item in enumerate(node.value):
            if index:
                self._put(",")
            self._node(item, depth + 1)
        self._put("]")

    def _mapping(self, node: Any, depth: int) -> None:
        self._scalars.flatten_mapping(node)
        self._put("{")
        for index, (key, value) in enumerate(node.value):
            if index:
                self._put(",")
            if key.id != "scalar":
                raise ValueError("a key is no scalar")
            self._put(json.dumps(_key(key, self._scalar(key))))
            self._put(":")
            self._node(value, depth + 1)
        self._put("}")

    def _scalar(self, node: Any) -> str:
        match node.tag:
            case tag if tag == _NULL:
                return "null"
            case tag if tag == _BOOL:
                return json.dumps(self._scalars.construct_yaml_bool(node))
            case tag if tag == _INT:
                return json.dumps(self._scalars.construct_yaml_int(node))
            case tag if tag == _FLOAT:
                return self._float(node)
        return json.dumps(node.value)

    def _float(self, node: Any) -> str:
        number = self._scalars.construct_yaml_float(node)
        if not math.isfinite(number):
            raise ValueError(f"{node.value} is no JSON number")
        return json.dumps(number)


def _key(node: Any, written: str) -> str:
    """Give a key as Kubernetes does: everything becomes a string, `true` the string "true"."""
    value = json.loads(written)
    return value if isinstance(value, str) else written if node.tag != _NULL else "null"
