"""The rules of what a probe or a hook does: exactly one thing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.values import Json
from machinery.model.errors import Cause

_HEADER: Final = re.compile("[-A-Za-z0-9]+", re.ASCII)
_HEADER_TEXT: Final = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
    "validation is '[-A-Za-z0-9]+')"
)


def handler_causes(handler: Json, kinds: Sequence[str], path: str, grace_s: int | None) -> list[Cause]:
    """Check a handler that may be of one of `kinds`; `grace_s` bounds a sleep."""
    given = [name for name in kinds if name in handler]
    if not given:
        return [field_errors.required(path, "must specify a handler type")]
    found = _one_causes(given[0], handler[given[0]], f"{path}.{given[0]}", grace_s)
    text = "may not specify more than 1 handler type"
    return found + [field_errors.forbidden(f"{path}.{name}", text) for name in given[1:]]


def _one_causes(kind: str, action: Json, path: str, grace_s: int | None) -> list[Cause]:
    match kind:
        case "exec":
            return [] if action.get("command") else [field_errors.required(f"{path}.command")]
        case "httpGet":
            return _http_causes(action, path)
        case "sleep":
            return _sleep_causes(action.get("seconds", 0), path, grace_s)
        case _:
            return ports.target_causes(f"{path}.port", action.get("port", 0))


def _http_causes(action: Json, path: str) -> list[Cause]:
    found = [] if action.get("path") else [field_errors.required(f"{path}.path")]
    found += ports.target_causes(f"{path}.port", action.get("port", 0))
    found += field_errors.one_of(f"{path}.scheme", action.get("scheme", ""), {"HTTP", "HTTPS"})
    for header in action.get("httpHeaders") or []:
        name = header.get("name", "")
        if not _HEADER.fullmatch(name):
            found.append(field_errors.invalid(f"{path}.httpHeaders", name, _HEADER_TEXT))
    return found


def _sleep_causes(seconds: int, path: str, grace_s: int | None) -> list[Cause]:
    if grace_s is None or 0 <= seconds <= grace_s:
        return []
    text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})"
    return [field_errors.invalid(path, seconds, text)]
