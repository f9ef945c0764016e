"""Secrets.

https://kubernetes.io/docs/concepts/configuration/secret/
"""

from __future__ import annotations

import binascii
import json
from typing import Final

from apiserver.core import field_errors
from apiserver.core.kinds.configmaps import SIZE_LIMIT_BYTES, decoded_size, frozen_causes, key_causes
from apiserver.core.rules import Prepare, Rules, Validate, metadata_fields
from apiserver.core.table import configuration as table
from apiserver.core.values import Json, metadata
from machinery.model.errors import Cause
from machinery.model.tokens import ACCOUNT_NAME, LEGACY_TYPE

_SSH: Final = "kubernetes.io/ssh-auth"  # whose key may not be empty either
_TLS: Final = "kubernetes.io/tls"
_REQUIRED_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    _SSH: ("ssh-privatekey",),
    _TLS: ("tls.crt", "tls.key"),
}
_JSON_TYPES: Final = frozenset({"kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson"})


def _default(obj: Json) -> Json:
    """Write stringData over data, and name the type."""
    if texts := obj.pop("stringData", None):
        data = dict(obj.get("data") or {})
        data.update((key, _encoded(text)) for key, text in texts.items())
        obj["data"] = data
    obj.setdefault("type", "Opaque")
    return obj


def _encoded(text: str) -> str:
    return binascii.b2a_base64(text.encode(), newline=False).decode()


def _validate(obj: Json) -> list[Cause]:
    data = obj.get("data") or {}
    found = key_causes("data", data)
    if sum(map(decoded_size, data.values())) > SIZE_LIMIT_BYTES:
        found.append(field_errors.too_long("data", SIZE_LIMIT_BYTES))
    if obj["type"] == LEGACY_TYPE and not (metadata(obj).get("annotations") or {}).get(ACCOUNT_NAME):
        found.append(field_errors.required(f"metadata.annotations[{ACCOUNT_NAME}]"))
    return [*found, *_type_causes(obj["type"], data)]


def _type_causes(type_: str, data: Json) -> list[Cause]:
    if type_ == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        return [field_errors.required("data[username]"), field_errors.required("data[password]")]
    required = _REQUIRED_KEYS.get(type_, ())
    missing = [key for key in required if key not in data or (type_ == _SSH and not data[key])]
    found = [field_errors.required(f"data[{key}]") for key in missing]
    if type_ in _JSON_TYPES and not found and not _is_json_object(data[required[0]]):
        text = "it has to be a JSON object"
        found.append(field_errors.invalid(f"data[{required[0]}]", "<secret contents redacted>", text))
    return found


def _is_json_object(encoded: str) -> bool:
    try:
        read = json.loads(binascii.a2b_base64(encoded))
    except (ValueError, RecursionError):
        return False
    return read is None or isinstance(read, dict)


def _prepare_update(new: Json, old: Json, _context: object) -> Json:
    """Keep the type where the update does not name one: it cannot change."""
    return new if new.get("type") else {**new, "type": old.get("type", "Opaque")}


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return [
        *field_errors.unchanged("type", new["type"], old.get("type")),
        *frozen_causes(new, old, "data"),
        *_validate(new),
    ]


def _warnings(obj: Json, _old: Json | None) -> tuple[str, ...]:
    """Warn of a certificate and a key that are no pair: controllers would find out later."""
    if obj.get("type") != _TLS:
        return ()
    from apiserver.core.tls_pairs import pair_problem  # seldom needed

    data = obj.get("data") or {}
    problem = pair_problem(*(binascii.a2b_base64(data.get(key) or "") for key in _REQUIRED_KEYS[_TLS]))
    return (problem,) if problem else ()


def _fields(obj: Json) -> dict[str, str]:
    return {**metadata_fields(obj), "type": obj.get("type", "")}


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(update=_prepare_update),
    validate=Validate(create=_validate, update=_validate_update),
    fields=_fields,
    warnings=_warnings,
    table=table.SECRETS,
)
