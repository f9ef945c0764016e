"""ConfigMaps.

https://kubernetes.io/docs/concepts/configuration/configmap/
"""

from __future__ import annotations

import binascii
from typing import Final

from apiserver.core import field_errors
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import configuration as table
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

SIZE_LIMIT_BYTES: Final = 1024 * 1024
IMMUTABLE: Final = "field is immutable when `immutable` is set"


def decoded_size(encoded: str) -> int:
    """Return the bytes in a base64 text that is known to be one."""
    return len(binascii.a2b_base64(encoded))


def key_causes(path: str, keys: Json) -> list[Cause]:
    """Find keys that could be no file's name."""
    return [
        cause
        for key in keys
        for cause in field_errors.each_invalid(f"{path}[{key}]", key, names.config_key_errors(key))
    ]


def frozen_causes(new: Json, old: Json, *fields: str) -> list[Cause]:
    """Find changes of an object that calls itself immutable."""
    if not old.get("immutable"):
        return []
    changed = [] if new.get("immutable") else ["immutable"]
    changed += [name for name in fields if (new.get(name) or {}) != (old.get(name) or {})]
    return [field_errors.forbidden(name, IMMUTABLE) for name in changed]


def _validate(obj: Json) -> list[Cause]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    found = key_causes("data", data)
    for key in data:
        if key in binary:
            found.append(field_errors.invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    found += key_causes("binaryData", binary)
    size = sum(len(value.encode()) for value in data.values()) + sum(map(decoded_size, binary.values()))
    if size > SIZE_LIMIT_BYTES:
        found.append(field_errors.too_long("", SIZE_LIMIT_BYTES))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return [*frozen_causes(new, old, "data", "binaryData"), *_validate(new)]


RULES: Final = Rules(
    validate=Validate(create=_validate, update=_validate_update),
    table=table.CONFIG_MAPS,
)
