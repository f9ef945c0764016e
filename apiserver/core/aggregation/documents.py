"""What an extension server says that it serves, brought into the form of aggregated discovery."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from apiserver.core.aggregation.priorities import GroupVersion, Priority
from apiserver.core.values import Json

MOST: Final = 5_000
"""Resources of one version; a list of more is none."""
CURRENT: Final = "Current"
STALE: Final = "Stale"


class Listed(NamedTuple):
    """A version that another server serves, as discovery lists it."""

    priority: Priority
    resources: list[Json]  # as in an APIVersionDiscovery
    freshness: str  # CURRENT, or STALE where the server does not answer any more


class _Resource(msgspec.Struct, frozen=True, gc=False):
    name: str
    kind: str = ""
    singularName: str = ""
    namespaced: bool = False
    group: str = ""
    version: str = ""
    verbs: list[str] | None = None
    shortNames: list[str] | None = None
    categories: list[str] | None = None


class _ResourceList(msgspec.Struct, frozen=True):
    kind: str
    resources: list[_Resource]


_decode = msgspec.json.Decoder(_ResourceList).decode


def read_resources(body: bytes, place: GroupVersion) -> list[Json]:
    """Read the APIResourceList of a version.

    Raises:
        ValueError: it is none, or has too many resources.
    """
    found = _decode(body)  # MsgspecError is a ValueError
    if found.kind != "APIResourceList":
        raise ValueError(f"the answer is a {found.kind[:64]}, not an APIResourceList")
    if len(found.resources) > MOST:
        raise ValueError(f"there are more than {MOST} resources")
    entries: dict[str, Json] = {}
    for each in sorted(found.resources, key=lambda each: "/" in each.name):
        name, _, part = each.name.partition("/")
        if not part:
            entries[name] = _entry(each, place)
            continue
        parent = entries.setdefault(name, {"resource": name, "scope": _scope(each), "verbs": []})
        parent.setdefault("subresources", []).append(
            {"subresource": part, "responseKind": _kind(each, place), "verbs": each.verbs or []}
        )
    return list(entries.values())


def _entry(each: _Resource, place: GroupVersion) -> Json:
    entry: Json = {
        "resource": each.name,
        "responseKind": _kind(each, place),
        "scope": _scope(each),
        "singularResource": each.singularName,
        "verbs": each.verbs or [],
    }
    names = {"shortNames": each.shortNames, "categories": each.categories}
    return {**entry, **{key: given for key, given in names.items() if given}}


def _kind(each: _Resource, place: GroupVersion) -> Json:
    """Return what a resource answers with: of the version that lists it, unless it says another one."""
    group, version = (each.group, each.version) if each.version else place
    return {"group": group, "version": version, "kind": each.kind}


def _scope(each: _Resource) -> str:
    return "Namespaced" if each.namespaced else "Cluster"
