"""The rules of projected volumes: several sources in one folder."""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.paths import own_file_causes
from apiserver.core.podspec.volume_files import downward_file_causes, key_file_causes, mode_causes
from apiserver.core.values import Json
from machinery.model.errors import Cause

_KINDS: Final = ("secret", "configMap", "downwardAPI", "serviceAccountToken")
_SHORTEST_S: Final = 600
_LONGEST_S: Final = 2**32


def projected_causes(source: Json, path: str) -> list[Cause]:
    """Check a projected volume: each source is of one kind, and no two write the same file."""
    found = mode_causes(source, "defaultMode", path)
    files: set[str] = set()
    for index, each in enumerate(source.get("sources") or []):
        where = f"{path}.sources[{index}]"
        given = [name for name in _KINDS if name in each]
        for name in given[:1]:
            found += _one_causes(name, each[name], f"{where}.{name}")
            found += _conflicts(name, each[name], path, files)
        text = "may not specify more than 1 volume type"
        found += [field_errors.forbidden(f"{where}.{name}", text) for name in given[1:]]
    return found


def _one_causes(kind: str, source: Json, path: str) -> list[Cause]:
    match kind:
        case "serviceAccountToken":
            return _token_causes(source, path)
        case "downwardAPI":
            return [cause for item in source.get("items") or [] for cause in downward_file_causes(item, path)]
        case _:
            found = [] if source.get("name") else [field_errors.required(f"{path}.name")]
            return found + key_file_causes(source, path)


def _token_causes(source: Json, path: str) -> list[Cause]:
    lifetime_s, place = source.get("expirationSeconds", 3600), source.get("path", "")
    found: list[Cause] = []
    if lifetime_s < _SHORTEST_S:
        text = "may not specify a duration less than 10 minutes"
        found.append(field_errors.invalid(f"{path}.expirationSeconds", lifetime_s, text))
    if lifetime_s > _LONGEST_S:
        text = "may not specify a duration larger than 2^32 seconds"
        found.append(field_errors.invalid(f"{path}.expirationSeconds", lifetime_s, text))
    return found + (
        own_file_causes(f"{path}.path", place) if place else [field_errors.required(f"{path}.path")]
    )


def _conflicts(kind: str, source: Json, path: str, files: set[str]) -> list[Cause]:
    found: list[Cause] = []
    for file in _files(kind, source):
        if file and file in files:
            value = source.get("name", file)
            found.append(field_errors.invalid(path, value, "conflicting duplicate paths"))
        files.add(file)
    return found


def _files(kind: str, source: Json) -> list[str]:
    if kind == "serviceAccountToken":
        return []  # which a client is only warned of
    return [item.get("path", "") for item in source.get("items") or []]
