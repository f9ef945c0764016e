"""What there is to ask for, as clients discover it: the old way, list by list, and all at once (aggregated).

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
Everything follows from what the catalogue serves, and what it lists of other servers; the documents hold until it changes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from apiserver.core.aggregation.documents import CURRENT, Listed
from apiserver.core.aggregation.priorities import GroupVersion, priority_of
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from machinery.model.kinds import KindNames

AGGREGATED: Final = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
"""What the media type of an aggregated document ends with."""
_VERSION: Final = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_STABILITY: Final = {"alpha": 0, "beta": 1, None: 2}


class Discovery:
    """The documents of one generation of the catalogue."""

    def __init__(
        self, served: Iterable[KindNames], elsewhere: Mapping[GroupVersion, Listed] = MappingProxyType({})
    ) -> None:
        by_version: dict[GroupVersion, list[KindNames]] = {}
        for each in sorted(served, key=lambda each: each.plural):
            by_version.setdefault((each.group, each.version), []).append(each)
        self._resources = {pair: tuple(found) for pair, found in by_version.items() if pair not in elsewhere}
        self._elsewhere = elsewhere
        self._priorities = {pair: priority_of(*pair) for pair in self._resources}
        self._priorities |= {pair: listed.priority for pair, listed in elsewhere.items()}

    def groups(self) -> tuple[str, ...]:
        """Return every group except for the core one, in the order that clients prefer: of its versions the first decides."""
        places: dict[str, int] = {}
        for (group, _), priority in self._priorities.items():
            places[group] = max(places.get(group, 0), priority.group)
        return tuple(sorted(places.keys() - {""}, key=lambda name: (-places[name], name)))

    def versions(self, group: str) -> tuple[str, ...]:
        """Return the versions of a group, the preferred one first; none where there is no such group."""
        found = (
            (priority.version, *_preference(version), version)
            for (name, version), priority in self._priorities.items()
            if name == group
        )
        return tuple(version for *_, version in sorted(found, reverse=True))

    def group_versions(self) -> tuple[tuple[str, str], ...]:
        """Return every group with every version of it that is served here, the core group first."""
        found = ((group, version) for group in ("", *self.groups()) for version in self.versions(group))
        return tuple(pair for pair in found if pair in self._resources)

    def resources(self, group: str, version: str) -> tuple[KindNames, ...]:
        """Return the resources of a version, by name."""
        return self._resources.get((group, version), ())

    def api_versions(self, server_address: str) -> Json:
        """Answer /api."""
        return {
            "kind": "APIVersions",
            "versions": list(self.versions("")),
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
        }

    def api_group_list(self) -> Json:
        """Answer /apis."""
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [self._group(name) for name in self.groups()],
        }

    def api_group(self, group: str) -> Json:
        """Answer /apis/<group>."""
        return {"kind": "APIGroup", "apiVersion": "v1", **self._group(group)}

    def resource_list(self, group: str, version: str) -> Json:
        """Answer /api/<version> and /apis/<group>/<version>."""
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": _group_version(group, version),
            "resources": [entry for each in self.resources(group, version) for entry in _entries(each)],
        }

    def aggregated(self, *, legacy: bool) -> Json:
        """Answer /api or /apis to those who ask for everything at once."""
        names = ("",) if legacy else self.groups()
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": [self._aggregated_group(name) for name in names],
        }

    def _group(self, group: str) -> Json:
        listed = [
            {"groupVersion": _group_version(group, version), "version": version}
            for version in self.versions(group)
        ]
        return {"name": group, "versions": listed, "preferredVersion": listed[0]}

    def _aggregated_group(self, group: str) -> Json:
        return {
            "metadata": {"name": group} if group else {},
            "versions": [self._aggregated_version(group, version) for version in self.versions(group)],
        }

    def _aggregated_version(self, group: str, version: str) -> Json:
        listed = self._elsewhere.get((group, version))
        if listed is not None:
            return {"version": version, "resources": listed.resources, "freshness": listed.freshness}
        resources = [_aggregated_resource(each) for each in self.resources(group, version)]
        return {"version": version, "resources": resources, "freshness": CURRENT}


def _preference(version: str) -> tuple[int, int, int, str]:
    """Order versions as clients prefer them: stable ones, then beta, then alpha; of each the newest first.

    https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#version-priority
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        return -1, 0, 0, version
    major, stability, minor = found.groups()
    return _STABILITY[stability], int(major), int(minor or 0), version


def _group_version(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


def _names(resource: KindNames) -> Json:
    """Return short names and categories, where there are some."""
    found = {"shortNames": list(resource.short_names), "categories": list(resource.categories)}
    return {key: names for key, names in found.items() if names}


def _entries(resource: KindNames) -> Iterator[Json]:
    yield {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
        **_names(resource),
        **_storage(resource),
    }
    for name, sub in sorted(resource.subresources.items()):
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


def _storage(resource: KindNames) -> Json:
    """Return the hash of the version in which objects are stored, as kube-apiserver makes it: who migrates them compares it."""
    if not isinstance(resource, Kind):
        return {}
    stored = resource.stored
    digest = hashlib.sha256(f"{stored.group}/{stored.version}/{stored.kind}".encode()).digest()
    return {"storageVersionHash": base64.b64encode(digest[:8]).decode()}


def _aggregated_resource(resource: KindNames) -> Json:
    entry: Json = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
        **_names(resource),
    }
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
                "verbs": list(sub.verbs),
            }
            for name, sub in sorted(resource.subresources.items())
        ]
    return entry
