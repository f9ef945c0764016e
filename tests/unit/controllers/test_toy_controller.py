"""A controller that the product does not have: one function, and one line in a table.

For every namespace it keeps a ConfigMap `census` that says how many pods are there, and how many of them are Ready.
"""

from dataclasses import dataclass

import pytest

from controllers.core.actions import (
    NOTHING_TO_DO,
    Attempt,
    Create,
    Lookup,
    Metric,
    Patch,
    Plan,
    Remember,
    Sync,
    event,
)
from controllers.core.controller import Controller, Watched
from controllers.core.keys import itself, namespace_of
from controllers.table import CONTROLLERS
from machinery.model.errors import Forbidden, NotFound, Unavailable
from machinery.model.k8s.core_v1 import ConfigMap, Namespace
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.pods import is_ready
from machinery.model.resources import CONFIG_MAPS, EVENTS, NAMESPACES, PODS
from tests.support import builders
from tests.support.controllers_cluster import cluster_with

LOOK_S = 0.2


@dataclass(frozen=True)
class Seen:
    namespace: Namespace
    known: ConfigMap | None
    data: dict[str, str]


def plan(seen, _moment, facts):
    name = seen.namespace.metadata.name
    itself_now = Lookup(NAMESPACES, "", name)
    if itself_now not in facts.objects:
        return Plan(needs=(itself_now,))
    if facts.objects[itself_now] is None:
        return NOTHING_TO_DO
    if seen.known is None:
        fresh = ConfigMap(metadata=ObjectMeta(name="census", namespace=name), data=seen.data)
        return Plan(
            (Create(CONFIG_MAPS, fresh, on_success=event(fresh, "Normal", "Counted", "Made {name}")),)
        )
    if seen.known.data == seen.data:
        return NOTHING_TO_DO
    return Plan((Patch(CONFIG_MAPS, name, "census", {"data": seen.data}),))


def build(caches, _settings):
    namespaces = caches.ask(NAMESPACES, fields=())
    pods = caches.ask(PODS, fields=("status.conditions",))
    counts = caches.ask(CONFIG_MAPS)

    def look(key, _moment):
        name = key[1]
        namespace = namespaces.store.get("", name)
        if namespace is None:
            return None
        found = pods.store.list(name)
        data = {"pods": str(len(found)), "ready": str(sum(map(is_ready, found)))}
        return Seen(namespace, counts.store.get(name, "census"), data)

    watched = (Watched(namespaces, itself), Watched(pods, namespace_of), Watched(counts, namespace_of))
    writes = frozenset({"create configmaps", "patch configmaps"})
    return Controller("toy-controller", watched, look, plan, writes=writes)


@pytest.fixture(params=[(build,), (*CONTROLLERS, build)], ids=["alone", "beside all others"])
async def cluster(request):
    async with cluster_with("a", table=request.param) as running:
        yield running


async def census(cluster, namespace="default"):
    found = await cluster.user.get(CONFIG_MAPS, "census", namespace=namespace)
    return found.data["pods"], found.data["ready"]


async def test_it_sees_decides_and_acts(cluster):
    """Through the real queue, informers and executor."""
    await cluster.server.given(PODS, builders.pod("one"))
    await cluster.clock.advance(LOOK_S)
    assert await census(cluster) == ("1", "0")
    await cluster.server.given(PODS, builders.pod("two", ready=True))
    await cluster.clock.advance(LOOK_S)
    assert await census(cluster) == ("2", "1")
    told = {(one.source.component, one.message) for one in (await cluster.user.list(EVENTS)).items}
    assert ("toy-controller", "Made census") in told


async def test_it_mends_what_somebody_spoils(cluster):
    """It is told of its own objects, too."""
    await cluster.clock.advance(LOOK_S)
    await cluster.user.delete(CONFIG_MAPS, "census", namespace="default")
    await cluster.clock.advance(LOOK_S)
    assert await census(cluster) == ("0", "0")


async def test_it_tries_again_what_failed(cluster):
    """With the key's backoff."""
    failing = True

    async def fail(verb, plural, name):
        if failing and (verb, plural, name) == ("create", "configmaps", "census"):
            raise Unavailable("not now")

    cluster.apis["a"].before_call = fail
    await cluster.clock.advance(1)
    with pytest.raises(NotFound):
        await census(cluster)
    failing = False
    await cluster.clock.advance(10)
    assert await census(cluster) == ("0", "0")


@pytest.mark.parametrize(
    ("refuses", "ends"), [("create", ["refused", "done"]), ("patch", ["refused", "refused"]), ("", ["done"])]
)
async def test_syncs_are_counted_with_how_they_ended(refuses, ends):
    """A write that is refused, an attempt that is, and what went well; each with how long it took."""
    total, duration = Metric("syncs_total", "Syncs"), Metric("sync_seconds", "Durations", buckets=(1.0,))
    note = ConfigMap(metadata=ObjectMeta(name="note", namespace="default"))
    tried = Attempt(Patch(CONFIG_MAPS, "default", "note", {"data": {"a": "b"}}), (), lambda _failure: ())

    def build_counting(caches, _settings):
        pods = caches.ask(PODS, fields=())

        def plan_note(_key, _moment, _facts):
            made = Create(CONFIG_MAPS, note, already_exists_is_fine=True)
            return Plan((made, tried), syncs=(Sync(total, duration, ("done",), ("refused",)),))

        writes = frozenset({"create configmaps", "patch configmaps"})
        return Controller(
            "counting", (Watched(pods, itself),), lambda key, _moment: key, plan_note, writes=writes
        )

    left = len(ends) if refuses == "patch" else 1

    async def refuse(verb, plural, name):
        nonlocal left
        if left and (verb, plural, name) == (refuses, "configmaps", "note"):
            left -= 1
            await cluster.clock.sleep(0.5)
            raise Forbidden("not you")

    async with cluster_with("a", table=(build_counting,)) as cluster:
        cluster.apis["a"].before_call = refuse
        for number in range(len(ends) if refuses == "patch" else 1):
            await cluster.server.given(PODS, builders.pod(f"pod-{number}"))
            await cluster.clock.advance(10)
        totals = [each for each in cluster.counts if each.metric is total]
        durations = [each for each in cluster.counts if each.metric is duration]
    assert [each.values[0] for each in totals] == ends
    assert [each.amount >= 0.5 for each in durations] == [end == "refused" for end in ends]


async def test_what_several_controllers_read_is_watched_once():
    """The toy adds two readers of pods and of namespaces, and no watch."""
    async with cluster_with("a", table=(*CONTROLLERS, build)) as cluster:
        await cluster.clock.advance(LOOK_S)
        calls = cluster.apis["a"].calls
        assert calls.count(("watch", "pods", "")) == 1
        assert calls.count(("watch", "namespaces", "")) == 1


async def test_what_comes_often_is_looked_at_together():
    """Within a second, once; what a plan wants to be remembered is told when it has been carried out."""
    looks: list[float] = []
    remembered: list[object] = []

    def build_patient(caches, _settings):
        pods = caches.ask(PODS, fields=())

        def look(key, moment):
            looks.append(moment.now_s)
            return key

        def plan_note(key, _moment, _facts):
            note = ConfigMap(metadata=ObjectMeta(name="note", namespace=key[1]))
            return Plan((Create(CONFIG_MAPS, note), Remember(key)))

        return Controller(
            "patient",
            (Watched(pods, namespace_of, within_s=1.0),),
            look,
            plan_note,
            remember=remembered.append,
            writes=frozenset({"create configmaps"}),
        )

    async with cluster_with("a", table=(build_patient,)) as cluster:
        await cluster.clock.advance(LOOK_S)
        for number in range(5):
            await cluster.server.given(PODS, builders.pod(f"pod-{number}"))
            await cluster.clock.advance(0.1)
        assert looks == []
        await cluster.clock.advance(0.8)
        assert (len(looks), remembered) == (1, [("", "default")])
        await cluster.server.given(PODS, builders.pod("last"))
        await cluster.clock.advance(2)
        assert len(looks) > 1  # the note is there already, so that the plan fails
        assert len(remembered) == 1
