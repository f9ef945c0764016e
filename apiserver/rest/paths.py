"""Where a request goes: the path of a URL, taken apart.

/api/v1/namespaces/x/pods/web-1/log     → Target(resource="pods", namespace="x", name="web-1", subresource="log")
/apis/apps/v1/deployments               → Target(group="apps", resource="deployments")
/api, /apis, /apis/apps, /apis/apps/v1  → Discovery
everything else                         → None: a path that is no resource
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

_OF_NAMESPACES = frozenset({"status", "finalize"})


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


@lru_cache(maxsize=4096)
def parse(raw_path: str) -> Target | Discovery | None:
    """Take a percent-encoded path apart."""
    match [unquote(segment) for segment in raw_path.strip("/").split("/")]:
        case ["api"]:
            return Discovery(legacy=True)
        case ["api", version]:
            return Discovery(legacy=True, version=version)
        case ["api", version, *segments]:
            return _target("", version, segments)
        case ["apis"]:
            return Discovery(legacy=False)
        case ["apis", group]:
            return Discovery(legacy=False, group=group)
        case ["apis", group, version]:
            return Discovery(legacy=False, group=group, version=version)
        case ["apis", group, version, *segments]:
            return _target(group, version, segments)
    return None


def _target(group: str, version: str, segments: list[str]) -> Target | None:
    watch = segments[0] == "watch"
    match segments[1:] if watch else segments:
        case ["namespaces", name, subresource] if not group and subresource in _OF_NAMESPACES:
            found = Target(resource="namespaces", name=name, subresource=subresource)
        case ["namespaces", namespace, resource, *tail] if namespace:
            name, subresource, *rest = [*tail, "", ""]
            found = Target(
                namespace=namespace,
                resource=resource,
                name=name,
                subresource=subresource,
                rest=tuple(rest[:-2] if len(tail) > 2 else ()),
                group=group,
                version=version,
                watch=watch,
            )
        case [resource, *tail] if resource:
            name, subresource, *rest = [*tail, "", ""]
            found = Target(
                resource=resource,
                name=name,
                subresource=subresource,
                rest=tuple(tail[2:]),
                group=group,
                version=version,
                watch=watch,
            )
        case _:
            return None
    return found
