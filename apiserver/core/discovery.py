"""What there is to ask for, as clients discover it: the old way, list by list, and all at once (aggregated).

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
Everything follows from the tables of kinds and of unstored resources; the documents never change in a process.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from apiserver.core.kinds import ALL, Kind, Subresource
from apiserver.core.unstored import UNSTORED, Unstored
from apiserver.core.values import Json

AGGREGATED_TYPE: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
Resource = Kind | Unstored


@cache
def groups() -> tuple[str, ...]:
    """Name every group but the core one, in the order that clients prefer: apps first, then by name."""
    names = {kind.group for kind in ALL} | {each.group for each in UNSTORED}
    return tuple(sorted(names - {""}, key=lambda name: (name != "apps", name)))


@cache
def versions(group: str) -> tuple[str, ...]:
    """Give the versions of a group, the preferred one first; none where there is no such group."""
    return tuple(sorted({each.version for each in _all() if each.group == group}))


@cache
def resources(group: str, version: str) -> tuple[Resource, ...]:
    """Give the resources of a version, by name."""
    found = [each for each in _all() if (each.group, each.version) == (group, version)]
    return tuple(sorted(found, key=lambda each: each.plural))


def api_versions(server_address: str) -> Json:
    """Answer /api."""
    return {
        "kind": "APIVersions",
        "versions": list(versions("")),
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def api_group_list() -> Json:
    """Answer /apis."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups()]}


def api_group(group: str) -> Json:
    """Answer /apis/<group>."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}


def resource_list(group: str, version: str) -> Json:
    """Answer /api/<version> and /apis/<group>/<version>."""
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": _group_version(group, version),
        "resources": [entry for each in resources(group, version) for entry in _entries(each)],
    }


def aggregated(*, legacy: bool) -> Json:
    """Answer /api or /apis to those who ask for everything at once."""
    names = ("",) if legacy else groups()
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(name) for name in names],
    }


def _all() -> tuple[Resource, ...]:
    return (*ALL, *UNSTORED)


def _group_version(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


def _group(group: str) -> Json:
    listed = [
        {"groupVersion": _group_version(group, version), "version": version} for version in versions(group)
    ]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _verbs(resource: Resource) -> list[str]:
    return list(resource.verbs) if isinstance(resource, Kind) else ["create"]


def _subresources(resource: Resource) -> dict[str, Subresource]:
    return dict(sorted(resource.subresources.items())) if isinstance(resource, Kind) else {}


def _names(resource: Resource) -> Json:
    """Give short names and categories, where there are some."""
    if not isinstance(resource, Kind):
        return {}
    found = {"shortNames": list(resource.short_names), "categories": list(resource.categories)}
    return {key: names for key, names in found.items() if names}


def _entries(resource: Resource) -> Iterator[Json]:
    yield {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(resource),
        **_names(resource),
    }
    for name, sub in _subresources(resource).items():
        entry = {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": sub.kind,
            "verbs": list(sub.verbs),
        }
        if (sub.group, sub.version) != (resource.group, resource.version):
            entry |= {"group": sub.group, "version": sub.version}
        yield entry


def _aggregated_group(group: str) -> Json:
    return {
        "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
        "versions": [
            {
                "version": version,
                "resources": [_aggregated_resource(each) for each in resources(group, version)],
                "freshness": "Current",
            }
            for version in versions(group)
        ],
    }


def _aggregated_resource(resource: Resource) -> Json:
    entry: Json = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
        **_names(resource),
    }
    if subresources := _subresources(resource):
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
                "verbs": list(sub.verbs),
            }
            for name, sub in subresources.items()
        ]
    return entry
