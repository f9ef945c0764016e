"""Whoever applies and updates, in whatever order: objects and owners are those of the plain reference."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from random import Random
from typing import Any

import pytest

from apiserver.core.apply import Topologies, Tracker, apply_configuration, managers, track_update
from apiserver.core.apply.elements import describe
from apiserver.core.apply.field_set import ordered
from apiserver.core.apply.update import take_over
from apiserver.core.schema import Schemas
from machinery.model.errors import Conflict
from tests.support import apply_histories as histories
from tests.support.apply_reference import World, flatten, to_fields
from tests.support.examples import first_seeds

_DEFINITION = "io.example.v1.Thing"
_VERSIONS = ("example.io/v1", "example.io/v2")
_MANAGERS = ("one", "two", "three")
_STEPS = 7
_QUICK, _BLOCK = 30, 250
_BLOCKS = int(os.environ.get("KUBARIUM_ROUNDS") or 8)


class History:
    """One object, written by three managers, here and in the reference."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.schema = histories.schema(self.random)
        topology = Topologies(Schemas(histories.document(_DEFINITION, self.schema))).root(_DEFINITION)
        trackers = [Tracker(version, lambda _: topology, _converted) for version in _VERSIONS]
        self.trackers = trackers[: self.random.choice([1, 1, 2])]
        self.tracker = trackers[0]
        self.world = World(self.schema)
        self.live: dict[str, Any] | None = None

    def run(self) -> None:
        for step in range(1, _STEPS + 1):
            manager = self.random.choice(_MANAGERS)
            kept = deepcopy(self.live)
            self.speak(self.random.choice(self.trackers))
            if self.random.random() < 0.65:
                self.apply(manager, step)
            else:
                self.update(manager, step)
            if kept is not None and self.random.random() < 0.05:
                self.forget()
            self.check()

    def speak(self, tracker: Tracker) -> None:
        """Go on in a version: objects come to the rules in the version of the request."""
        self.tracker = tracker
        if self.live:
            self.live = _converted(self.live, tracker.api_version)
            self.world.flat |= flatten(self.schema, {"apiVersion": tracker.api_version})

    def apply(self, manager: str, now: int) -> None:
        config = self.obj(self.value())
        force = self.random.random() < 0.5
        before = deepcopy((self.live, config))
        conflicts = self.world.apply(manager, config, now, force=force)
        if conflicts:
            with pytest.raises(Conflict) as refused:
                apply_configuration(
                    self.tracker, self.live, config, manager=manager, force=force, now=_time(now)
                )
            expected = sorted((name, describe(_elements(path))) for name, _, _, path in conflicts)
            assert sorted((_quoted(cause.message), cause.field) for cause in refused.value.causes) == expected
            return
        applied = apply_configuration(
            self.tracker, self.live, config, manager=manager, force=force, now=_time(now)
        )
        assert (self.live, config) == before
        self.store(applied.obj, applied.managed_fields)
        self.note_order(before[0], manager, now)

    def note_order(self, before: dict[str, Any] | None, manager: str, now: int) -> None:
        """Note in the reference, which knows no order, an apply that changed nothing but the order of a list."""
        old, new = _plain(before or {}), _plain(self.live or {})
        mine = self.world.managers.get((manager, True, ""))
        if mine and old != new and flatten(self.schema, old) == flatten(self.schema, new):
            mine.time = now

    def update(self, manager: str, now: int) -> None:
        old, spec = (self.live or {}).get("spec") or {}, self.schema["properties"]["spec"]
        new = self.obj(histories.mixed(self.random, spec, old, self.value()))
        if old and self.random.random() < 0.5:  # as who renews a lease, or tells of a status
            new = self.obj(histories.revalued(self.random, spec, old))
            manager = self.random.choice(self.updaters() or [manager])
        before = deepcopy((self.live, new))
        entries = track_update(self.tracker, self.live, new, manager=manager, now=_time(now))
        assert (self.live, new) == before
        self.check_sets(new, manager, now, entries)
        self.world.update(manager, new, now)
        self.store(new, entries)

    def updaters(self) -> list[str]:
        entries = (self.live or {}).get("metadata", {}).get("managedFields", [])
        return [entry["manager"] for entry in entries if entry["operation"] == "Update"]

    def check_sets(self, new: dict[str, Any], manager: str, now: int, entries: list[dict[str, Any]]) -> None:
        """Check that an update which was told without making sets would be told so with them."""
        stored = (self.live or {}).get("metadata", {}).get("managedFields", [])
        if self.live is not None and stored:
            managed = managers.stored(stored)
            old, now_text = _plain(self.live), _time(now)
            taken = take_over(self.tracker, old, new, managed, manager=manager, now=now_text)
            assert entries == managers.write(taken)

    def forget(self) -> None:
        """Reset the managers, as a client can: nobody is tracked until the next apply."""
        assert self.live is not None
        assert track_update(self.tracker, self.live, self.live, manager="one", now=_time(0), given=[]) == []
        self.live["metadata"].pop("managedFields", None)
        self.world.managers = {}

    def store(self, obj: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        stored = histories.without_nulls(obj)
        if entries:
            stored["metadata"]["managedFields"] = entries
        self.live = stored

    def check(self) -> None:
        live = self.live or {}
        found = {_key(entry): entry for entry in live.get("metadata", {}).get("managedFields", [])}
        expected = {
            key: (each.version, _time(each.time), to_fields(each.fields))
            for key, each in self.world.managers.items()
        }
        assert {
            key: (entry["apiVersion"], entry["time"], entry["fieldsV1"]) for key, entry in found.items()
        } == expected
        for fields in (entry["fieldsV1"] for entry in found.values()):
            assert json.dumps(fields) == json.dumps(ordered(fields))
        assert flatten(self.schema, _plain(live)) == self.world.flat

    def value(self) -> Any:
        return histories.value(self.random, self.schema["properties"]["spec"], self.random.choice([0.4, 0.8]))

    def obj(self, spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": self.tracker.api_version,
            "kind": "Thing",
            "metadata": {"name": "n"},
            "spec": spec,
        }


def _converted(obj: dict[str, Any], version: str) -> dict[str, Any]:
    return {**obj, "apiVersion": version}


def _plain(obj: dict[str, Any]) -> dict[str, Any]:
    meta = {name: item for name, item in obj.get("metadata", {}).items() if name != "managedFields"}
    return {**obj, "metadata": meta} if obj else {}


def _key(entry: dict[str, Any]) -> tuple[str, bool, str]:
    applies = entry["operation"] == "Apply"
    return entry["manager"], applies, "" if applies else entry["apiVersion"]


def _time(now: int) -> str:
    return f"2026-01-01T00:00:{now:02}Z"


def _quoted(message: str) -> str:
    return message.split('"')[1]


def _elements(path: Any) -> list[str]:
    fields, result = to_fields([path]), []
    while fields:
        [(element, fields)] = fields.items()
        result.append(element)
    return result


def _run(seeds: range) -> None:
    for seed in seeds:
        try:
            History(seed).run()
        except BaseException as error:
            error.add_note(f"in the history with seed {seed}")
            raise


def test_a_few_histories_of_applies_and_updates_end_as_the_reference_says() -> None:
    """A history of three managers leaves the object, the owners and the conflicts of the reference."""
    _run(range(_QUICK))


@pytest.mark.parametrize("block", first_seeds(_BLOCKS, quick=0))
def test_histories_of_applies_and_updates_end_as_the_reference_says(block: int) -> None:
    """2,000 histories leave the object, the owners and the conflicts of the reference. KUBARIUM_ROUNDS makes it longer."""
    _run(range(_QUICK + block * _BLOCK, _QUICK + (block + 1) * _BLOCK))
