"""The trackers of all that is served: one for each version of a kind and each of its subresources.

How a kind's values merge comes from the schema that its `definition` names. Those of custom resources are there as soon
as they are in the catalogue: their published schemas (`apiserver.core.custom.publishing`, with every x-kubernetes-*
of theirs) are `Kind.definitions`, which the schemas handed in here follow. A custom kind needs nothing else, except for
two facts of its `Rules`: `reset` (what a write of one subresource cannot change) and, with a scale, where its replicas
are (`ScaleMapping.path`).
"""

from __future__ import annotations

from typing import Final

from apiserver.core.apply.field_set import FieldSet
from apiserver.core.apply.scale import SCALE_VERSION, Replicas
from apiserver.core.apply.topology import Granular, Topologies
from apiserver.core.apply.tracker import Tracker, UnknownVersion
from apiserver.core.catalogue import Catalogue, PerGeneration
from apiserver.core.kind import Kind
from apiserver.core.schema import Schemas
from apiserver.core.values import Json

_SCALE: Final = "io.k8s.api.autoscaling.v1.Scale"


class Trackers:
    """The trackers of a catalogue, made when they are first asked for, and again when the catalogue has changed."""

    def __init__(self, catalogue: Catalogue, schemas: Schemas) -> None:
        self._catalogue = catalogue
        self._topologies = Topologies(schemas)
        self._made = PerGeneration[dict[tuple[Kind, str], Tracker]](catalogue, dict)
        self._scale = Tracker(SCALE_VERSION, self._scale_topology, subresource="scale")

    def of(self, kind: Kind, subresource: str = "") -> Tracker:
        """Return the tracker of requests that speak a kind's version."""
        made = self._made()
        found = made.get((kind, subresource))
        if found is None:
            found = made[kind, subresource] = self._make(kind, subresource)
        return found

    @property
    def of_scales(self) -> Tracker:
        """The tracker of requests to the scale of any kind, which speak of an autoscaling/v1 Scale."""
        return self._scale

    def replicas(self, kind: Kind) -> Replicas:
        """Return where the replicas are, in each version of a kind."""
        return {
            each.api_version: each.rules.scale.path if each.rules.scale else None
            for each in self._versions(kind)
        }

    def _make(self, kind: Kind, subresource: str) -> Tracker:
        versions = self._versions(kind)
        by_version = {each.api_version: each for each in versions}

        def named(version: str) -> Kind:
            found = by_version.get(version)
            if found is None:
                raise UnknownVersion(version)
            return found

        compiled: dict[str, Granular] = {}

        def topology(version: str) -> Granular:
            found = compiled.get(version)
            if found is None:
                found = compiled[version] = self._topologies.root(named(version).definition)
            return found

        def convert(obj: Json, version: str) -> Json:
            return named(version).rules.convert(obj, version)

        reset = {each.api_version: _reset(each, subresource) for each in versions}
        return Tracker(kind.api_version, topology, convert if len(versions) > 1 else None, subresource, reset)

    def _versions(self, kind: Kind) -> tuple[Kind, ...]:
        """Return the versions of a kind that are served."""
        return tuple(each for each in self._catalogue.kinds() if each.stored is kind.stored and each.verbs)

    def _scale_topology(self, version: str) -> Granular:
        if version != SCALE_VERSION:
            raise UnknownVersion(version)
        return self._topologies.root(_SCALE)


def _reset(kind: Kind, subresource: str) -> FieldSet:
    """Return what a write of a kind cannot change: of the object itself its status, of the status all but that."""
    own = kind.rules.reset.get(subresource)
    if own is not None or "status" not in kind.subresources:
        return own or {}
    match subresource:
        case "":
            return {"f:status": {}}
        case "status":
            own_metadata: FieldSet = {f"f:{name}": {} for name in kind.rules.status_keeps}
            return {"f:spec": {}, **({"f:metadata": own_metadata} if own_metadata else {})}
    return {}
