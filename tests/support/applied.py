"""A cluster of one object, to which managers apply and which they update: built-in kinds by their published schemas."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

import msgspec

from apiserver import schemas
from apiserver.core.apply import Topologies, Tracker, apply_configuration, track_update
from apiserver.core.schema import Schemas
from apiserver.core.values import Json
from tests.support.apply_histories import without_nulls

THING = "io.example.v1.Thing"


@cache
def _topologies() -> Topologies:
    return Topologies(schemas.load())


def tracker(definition: str, version: str, **more: Any) -> Tracker:
    """Return the tracker of a built-in kind."""
    return Tracker(version, lambda _: _topologies().root(definition), **more)


DEPLOYMENTS = tracker("io.k8s.api.apps.v1.Deployment", "apps/v1")
CONFIGMAPS = tracker("io.k8s.api.core.v1.ConfigMap", "v1")
SERVICES = tracker("io.k8s.api.core.v1.Service", "v1")
PODS = tracker("io.k8s.api.core.v1.Pod", "v1")


def things(spec: Json, **more: Any) -> Tracker:
    """Return the tracker of a custom kind whose spec has these properties."""
    text = {"type": "string"}
    schema = {
        "type": "object",
        "properties": {
            "apiVersion": text,
            "kind": text,
            "metadata": {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
            "spec": {"type": "object", "properties": spec},
        },
    }
    known = Schemas(msgspec.json.encode({"$defs": {THING: schema}}), base=schemas.load())
    topology = Topologies(known).root(THING)
    return Tracker("example.io/v1", lambda _: topology, **more)


def thing(spec: Json) -> Json:
    return {"apiVersion": "example.io/v1", "kind": "Thing", "metadata": {"name": "n"}, "spec": spec}


class Stored:
    """One object as it is stored; `now` is the second of the next write."""

    def __init__(self, of: Tracker) -> None:
        self.of = of
        self.obj: Json | None = None
        self.now = 0
        self.changed = False

    def apply(self, manager: str, config: Json, *, force: bool = False, by: Tracker | None = None) -> Stored:
        before = deepcopy((self.obj, config))
        applied = apply_configuration(
            by or self.of, self.obj, config, manager=manager, force=force, now=self._next()
        )
        assert (self.obj, config) == before
        self.changed = applied.changed
        self._store(applied.obj, applied.managed_fields)
        return self

    def update(self, manager: str, obj: Json, *, by: Tracker | None = None, given: Any = None) -> Stored:
        before = deepcopy((self.obj, obj))
        entries = track_update(by or self.of, self.obj, obj, manager=manager, now=self._next(), given=given)
        assert (self.obj, obj) == before
        self._store(obj, entries)
        return self

    def edited(self, **spec: Any) -> Json:
        """Return the object with other fields in its spec; None takes one out."""
        assert self.obj is not None
        changed = {**self.obj["spec"], **spec}
        return {**self.obj, "spec": {name: item for name, item in changed.items() if item is not None}}

    @property
    def spec(self) -> Json:
        assert self.obj is not None
        return self.obj.get("spec") or {}

    @property
    def entries(self) -> list[Json]:
        assert self.obj is not None
        return self.obj["metadata"].get("managedFields") or []

    def owned(self, manager: str, operation: str = "Apply") -> Any:
        """Return the fields that a manager owns; None: there is no entry."""
        found = [
            each for each in self.entries if (each["manager"], each["operation"]) == (manager, operation)
        ]
        return found[0]["fieldsV1"] if found else None

    def time(self, manager: str) -> str:
        [found] = [each["time"] for each in self.entries if each["manager"] == manager]
        return str(found)

    def _next(self) -> str:
        self.now += 1
        return f"2026-01-01T00:00:{self.now:02}Z"

    def _store(self, obj: Json, entries: list[Json]) -> None:
        stored = without_nulls(deepcopy(obj))
        stored["metadata"].pop("managedFields", None)
        if entries:
            stored["metadata"]["managedFields"] = deepcopy(entries)
        self.obj = stored
