"""Something happens to each controller's process, at each point of its work: what comes out is what comes out without."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import pytest

from controllers.core.actions import NOTHING_TO_DO, Create, Facts, Plan
from controllers.core.caches import Caches
from controllers.core.controller import Build, Controller, Key, Settings, Watched
from controllers.core.keys import itself, key_of
from controllers.core.moment import Moment
from controllers.table import CONTROLLERS
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import CONFIG_MAPS, NAMESPACES
from machinery.model.store import Change
from tests.support import builders
from tests.support.controller_crashes import CrashPlay, CrashWorld, Mishap, play
from tests.support.examples import in_turns, sample
from tests.support.trials.trial import Trial, name_of, trials_of

SEED = 36
MISHAPS = ("overtaken", "late", "lost")


class Tried(NamedTuple):
    """A trial, and what it is called."""

    name: str
    trial: Trial


def _all() -> list[Tried]:
    return [
        Tried(f"{name_of(build)}-{number}", trial)
        for build in CONTROLLERS
        for number, trial in enumerate(trials_of(build), 1)
    ]


ALL = _all()
MOST = [
    pytest.param(each.trial, id=each.name, marks=() if each.trial.quick else pytest.mark.deep) for each in ALL
]


@pytest.mark.parametrize("trial", MOST)
async def test_a_crash_after_any_write_changes_nothing_in_the_end(trial: Trial) -> None:
    """Every object is there that would be, with the same content except for names and times, and no other."""
    faultless = await play(trial.course, trial.table)
    assert faultless.writes >= trial.writes
    for crash_after in sample(range(1, faultless.writes + 1)):
        crashed = await play(trial.course, trial.table, Mishap(crash_after=crash_after))
        assert crashed.outcome == faultless.outcome, f"after a crash at write {crash_after}"


@pytest.mark.deep
@pytest.mark.parametrize("how", MISHAPS)
@pytest.mark.parametrize("trial", [pytest.param(each.trial, id=each.name) for each in ALL])
async def test_each_event_may_be_overtaken_or_late_or_lost(trial: Trial, how: str) -> None:
    """Everything goes on without it; in the end every object is as it would be. Each event has one of these, in turn."""
    faultless = await play(trial.course, trial.table)
    times = range(1, faultless.heard + 1)
    for at in in_turns(times, MISHAPS.index(how), len(MISHAPS)):
        await _spoil(trial, faultless, how, at)


@pytest.mark.parametrize("tried", [each for each in ALL if each.trial.quick], ids=lambda each: each.name)
async def test_some_event_may_be_overtaken_or_late_or_lost(tried: Tried) -> None:
    """One of each quick trial."""
    faultless = await play(tried.trial.course, tried.trial.table)
    for how in MISHAPS:
        at = random.Random(f"{SEED} {tried.name} {how}").randint(1, faultless.heard)
        await _spoil(tried.trial, faultless, how, at)


async def _spoil(trial: Trial, faultless: CrashPlay, how: str, at: int) -> None:
    spoilt = await play(trial.course, trial.table, Mishap(**{how: at}))
    assert spoilt.outcome == faultless.outcome, f"event {at} is {how}"


def forgetful(caches: Caches, _settings: Settings) -> Controller[Any]:
    """Build a controller that makes a second ConfigMap only while it remembers that it has made the first."""
    namespaces = caches.ask(NAMESPACES, fields=())
    made = caches.ask(CONFIG_MAPS)
    remembered: set[str] = set()

    def plan(name: str, _moment: Moment, _facts: Facts) -> Plan:
        if made.store.get(name, "first") is None:
            remembered.add(name)
            return Plan((create(name, "first"),), requeue_after_s=1)
        return Plan((create(name, "second"),)) if name in remembered else NOTHING_TO_DO

    def create(namespace: str, name: str) -> Create:
        settings = ConfigMap(metadata=ObjectMeta(name=name, namespace=namespace))
        return Create(CONFIG_MAPS, settings, already_exists_is_fine=True)

    watched, writes = (Watched(namespaces, itself),), frozenset({"create configmaps"})
    return Controller("forgetful", watched, lambda key, _moment: key[1], plan, writes=writes)


async def test_a_controller_that_relies_on_its_memory_is_found():
    """The check is shown a fault."""

    async def nothing(_world: CrashWorld) -> None:
        pass

    faultless = await play(nothing, (forgetful,))
    crashed = await play(nothing, (forgetful,), Mishap(crash_after=1))
    assert faultless.writes > 1
    assert crashed.outcome != faultless.outcome


def impatient(caches: Caches, _settings: Settings) -> Controller[Any]:
    """Build a controller that writes down what it does not see for a second as missing."""
    namespaces = caches.ask(NAMESPACES, fields=())
    seen = caches.ask(CONFIG_MAPS)

    def plan(name: str, moment: Moment, _facts: Facts) -> Plan:
        namespace = namespaces.store.get("", name)
        if namespace is None or seen.store.get(name, "settings"):
            return NOTHING_TO_DO
        if (wait_s := 1 - moment.since(namespace.metadata.creationTimestamp)) > 0:
            return Plan(requeue_after_s=wait_s)
        return Plan((_note(name, "missing"),))

    watched, writes = (Watched(namespaces, itself),), frozenset({"create configmaps"})
    return Controller("impatient", watched, lambda key, _moment: key[1], plan, writes=writes)


def deaf(caches: Caches, _settings: Settings) -> Controller[Any]:
    """Build a controller that is not woken by one of the two that it needs."""
    namespaces = caches.ask(NAMESPACES, fields=())
    seen = caches.ask(CONFIG_MAPS)

    def plan(name: str, _moment: Moment, _facts: Facts) -> Plan:
        if seen.store.get(name, "settings") is None or namespaces.store.get("", name) is None:
            return NOTHING_TO_DO
        return Plan((_note(name, "found"),))

    watched, writes = (
        (Watched(seen, lambda change: [key_of(change.object.metadata)]),),
        frozenset({"create configmaps"}),
    )
    return Controller("deaf", watched, lambda key, _moment: key[0], plan, writes=writes)


def edge_triggered(caches: Caches, _settings: Settings) -> Controller[Any]:
    """Build a controller that acts on a state which there is only for a moment."""
    seen = caches.ask(CONFIG_MAPS)

    def keys(change: Change[ConfigMap]) -> list[Key]:
        return [key_of(change.object.metadata)] if change.object.data == {"value": "b"} else []

    def plan(name: str, _moment: Moment, _facts: Facts) -> Plan:
        return Plan((_note(name, "found"),))

    writes = frozenset({"create configmaps"})
    return Controller(
        "edge-triggered", (Watched(seen, keys),), lambda key, _moment: key[0], plan, writes=writes
    )


def _note(namespace: str, name: str) -> Create:
    note = ConfigMap(metadata=ObjectMeta(name=name, namespace=namespace))
    return Create(CONFIG_MAPS, note, already_exists_is_fine=True)


@pytest.mark.parametrize(
    ("build", "how"),
    [(impatient, "late"), (deaf, "overtaken"), (deaf, "late"), (edge_triggered, "lost")],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
async def test_a_controller_that_relies_on_when_it_hears_of_something_is_found(build: Build, how: str):
    """The check is shown a fault."""

    async def settings_change(world: CrashWorld) -> None:
        await world.settle()
        await world.server.given(NAMESPACES, builders.namespace("space"))
        await world.server.given(CONFIG_MAPS, builders.config_map("settings", "space"))
        for value in ("b", "c"):
            await world.user.patch(CONFIG_MAPS, "settings", {"data": {"value": value}}, namespace="space")

    faultless = await play(settings_change, (build,))
    spoilt = [await play(settings_change, (build,), Mishap(**{how: at + 1})) for at in range(faultless.heard)]
    assert any(each.outcome != faultless.outcome for each in spoilt)
