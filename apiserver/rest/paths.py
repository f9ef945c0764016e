"""Where a request goes: the path of a URL, taken apart.

/api/v1/namespaces/x/pods/web-1/log     → Target(resource="pods", namespace="x", name="web-1", subresource="log")
/apis/apps/v1/deployments               → Target(group="apps", resource="deployments")
/api, /apis, /apis/apps, /apis/apps/v1  → Discovery
everything else                         → None: a path that is no resource
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

LONGEST_REMEMBERED: Final = 256  # characters
_OF_NAMESPACES: Final = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A resource, an object of it, or a part of that."""

    group: str = ""
    version: str = "v1"
    namespace: str = ""
    resource: str
    name: str = ""
    subresource: str = ""
    rest: tuple[str, ...] = ()  # segments behind the subresource
    watch: bool = False  # the old form /api/v1/watch/…


@dataclass(frozen=True, slots=True)
class Discovery:
    """A list of what there is: groups (both empty), a group, or the resources of a version."""

    legacy: bool  # /api instead of /apis
    group: str = ""
    version: str = ""


def parse_for(raw_path: str, *, is_known: bool) -> Target | Discovery | None:
    """Parse a path; what a known client asks for again and again is remembered, if it is short.

    Anybody may ask for any path, and memory is no place for that.
    """
    return _remembered(raw_path) if is_known and len(raw_path) <= LONGEST_REMEMBERED else parse(raw_path)


def parse(raw_path: str) -> Target | Discovery | None:
    """Parse a percent-encoded path."""
    root, *segments = (unquote(segment) for segment in raw_path.strip("/").split("/"))
    if root == "api":
        return _below("", segments, legacy=True)
    if root == "apis":
        return _below(segments[0], segments[1:], legacy=False) if segments else Discovery(legacy=False)
    return None


_remembered: Final = lru_cache(maxsize=4096)(parse)


def _below(group: str, segments: list[str], *, legacy: bool) -> Target | Discovery | None:
    if len(segments) < 2:
        return Discovery(legacy=legacy, group=group, version=segments[0] if segments else "")
    version, *rest = segments
    return _target(group, version, rest)


def _target(group: str, version: str, segments: list[str]) -> Target | None:
    watch = segments[0] == "watch"
    namespace, parts = _scoped(group, segments[1:] if watch else segments)
    if not parts or not parts[0]:
        return None
    resource, name, subresource, *rest = [*parts, "", "", ""]
    return Target(
        group=group,
        version=version,
        namespace=namespace,
        resource=resource,
        name=name,
        subresource=subresource,
        rest=tuple(rest[:-3]) if len(parts) > 3 else (),
        watch=watch,
    )


def _scoped(group: str, segments: list[str]) -> tuple[str, list[str]]:
    """Part the namespace from what is in it; /namespaces/x and its own subresources are no such scope."""
    match segments:
        case ["namespaces", _, subresource] if not group and subresource in _OF_NAMESPACES:
            return "", segments
        case ["namespaces", namespace, *parts] if namespace and parts:
            return namespace, parts
    return "", segments
