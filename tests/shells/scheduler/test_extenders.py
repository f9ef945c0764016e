"""Extenders, real HTTPS servers: what they are sent, what their answers do, and that one that fails or is slow stops nobody else."""

import asyncio

import pytest

from machinery.model.resources import NODES, PODS
from machinery.process.clock import SystemClock
from tests.support.apiserver import certificates
from tests.support.builders import changed, node, pod
from tests.support.scheduler_plugins import configuration
from tests.support.scheduler_world import SchedulerWorld
from tests.support.scripted_api import local_registry
from tests.support.waiting import until
from tests.support.web_server import web_server


class ExtendedWorld(SchedulerWorld):
    """A cluster of three nodes, and an extender."""

    def extended(self, **fields):
        """Schedule with the extender, by these fields of its part of the file."""
        given = {"urlPrefix": f"{self.extender.url}/it/", "tlsConfig": {"caFile": self.ca}, **fields}
        return self.scheduling(config=configuration(self.folder, "", f"extenders: [{given}]\n"))

    async def bound(self, name="web"):
        return await until(lambda: self.node_of(name), what=name)

    async def told(self, name="web"):
        return (await until(lambda: self.messages(name), what=name))[0]


@pytest.fixture
async def world(tmp_path):
    pki, clock = certificates(tmp_path), SystemClock()
    async with web_server(pki) as extender, local_registry(clock) as server:
        world = ExtendedWorld(clock, server)
        world.extender, world.folder, world.ca = extender, tmp_path, str(pki.certificate("ca"))
        for name in ("node-1", "node-2", "node-3"):
            await server.given(NODES, node(name))
        yield world


def names_of(document):
    return [each["metadata"]["name"] for each in document["Nodes"]["items"]]


async def test_an_extender_filters_and_rates_whole_nodes(world):
    """It gets the pod and the nodes as they are; its points weigh ten times their weight."""

    def answer(path, asked):
        if path == "/it/filter":
            return {
                "Nodes": {
                    "items": [
                        each for each in asked["Nodes"]["items"] if each["metadata"]["name"] != "node-3"
                    ]
                }
            }
        return [{"Host": "node-1", "Score": 1}, {"Host": "node-2", "Score": 9}]

    world.extender.answer = answer
    async with world.extended(filterVerb="filter", prioritizeVerb="rate", weight=3):
        await world.server.given(PODS, changed(pod(), metadata__annotations={"what": "extenders see"}))
        assert await world.bound() == "node-2"
    filtered, rated = world.extender.asked
    assert sorted(names_of(filtered)) == ["node-1", "node-2", "node-3"]
    assert sorted(names_of(rated)) == ["node-1", "node-2"]
    assert filtered["Nodes"]["items"][0]["status"]["allocatable"]["cpu"] == "4"
    assert filtered["Pod"]["metadata"]["annotations"] == {"what": "extenders see"}
    assert filtered["Pod"]["spec"]["containers"][0]["image"] == "app:1"
    assert filtered["NodeNames"] is None


async def test_one_with_a_cache_gets_the_names(world):
    """And answers with names, in fields of any case."""
    world.extender.answer = lambda _path, asked: {"nodeNames": asked["NodeNames"][:1], "error": ""}
    async with world.extended(filterVerb="filter", nodeCacheCapable=True):
        await world.server.given(PODS, pod())
        assert await world.bound() in {"node-1", "node-2", "node-3"}
    [asked] = world.extender.asked
    assert sorted(asked["NodeNames"]) == ["node-1", "node-2", "node-3"]
    assert asked["Nodes"] is None


async def test_its_reasons_are_told_and_another_try_is_made_when_something_happens(world):
    """Which could be taken away from other pods counts as with plugins; nobody knows what helps an extender, so everything may."""
    world.extender.answer = lambda _path, _asked: {
        "NodeNames": [],
        "FailedNodes": {"node-1": "no card is free"},
        "FailedAndUnresolvableNodes": {"node-2": "no card is there"},
    }
    async with world.extended(filterVerb="filter", nodeCacheCapable=True):
        await world.server.given(PODS, pod())
        message = await world.told()
        assert message.startswith(
            "0/3 nodes are available: 1 no card is free, 1 no card is there, 1 node(s) were left out by the extender https://"
        )
        assert "1 Preemption is not helpful for scheduling" in message
        world.extender.answer = lambda _path, asked: {"NodeNames": asked["NodeNames"]}
        await world.server.given(NODES, node("node-4"))
        assert await world.bound()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (503, "failed filter with extender at URL https://"),
        ({"Error": "the database is down"}, ": the database is down"),
        ({"NodeNames": ["elsewhere"]}, 'it takes the node "elsewhere", of which it was not asked'),
        ({"NodeNames": 7}, "it answered 7, where names of nodes are wanted"),
        ({"NodeNames": [], "FailedNodes": [1]}, "it answered [1], where reasons by node are wanted"),
        ([], "it answered [], where an object is wanted"),
        (b"{", "answered no JSON"),
    ],
)
async def test_one_that_fails_fails_the_pod_unless_it_can_be_ignored(world, answer, problem):
    """The pod is told by whom; pods that do not concern it are bound."""
    world.extender.answer = lambda _path, _asked: answer
    fields = {
        "filterVerb": "filter",
        "nodeCacheCapable": True,
        "managedResources": [{"name": "a.b/card", "ignoredByScheduler": True}],
    }
    async with world.extended(**fields):
        await world.server.given(PODS, pod(limits={"a.b/card": "1"}))
        await world.server.given(PODS, pod("other"))
        assert await world.bound("other")
        assert problem in await world.told()
        assert await world.node_of() == ""
    async with world.extended(**fields, ignorable=True):
        assert await world.bound()


async def test_one_that_rates_nonsense_is_left_out(world):
    """As Kubernetes has it: points are no condition."""
    world.extender.answer = lambda _path, _asked: [{"Host": "node-1", "Score": "ten"}]
    async with world.extended(prioritizeVerb="rate", weight=1):
        await world.server.given(PODS, pod())
        assert await world.bound()


async def test_a_slow_one_delays_its_own_pods_only(world):
    """Others are decided on while it is asked; its own are told when its time is over."""
    hang = asyncio.Event()

    async def answer(_path, asked):
        await hang.wait()
        return {"NodeNames": asked["NodeNames"]}

    world.extender.answer = answer
    managed = [{"name": "a.b/card", "ignoredByScheduler": True}]
    async with world.extended(
        filterVerb="filter", nodeCacheCapable=True, managedResources=managed, httpTimeout="300ms"
    ):
        for number in range(20):
            await world.server.given(PODS, pod(f"slow-{number}", limits={"a.b/card": "1"}))
        await until(lambda: world.extender.asked)
        await world.server.given(PODS, pod("quick"))
        assert await world.bound("quick")
        assert "/it/filter within 0.3 s" in await world.told("slow-0")
        hang.set()
        for number in range(20):
            assert await world.bound(f"slow-{number}")


async def test_places_that_others_got_meanwhile_are_not_given_twice(world):
    """What fits is asked again when the extender has answered."""
    asked_for, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_path, asked):
        asked_for.set()
        await go_on.wait()
        return {"NodeNames": asked["NodeNames"]}

    world.extender.answer = answer
    managed = [{"name": "a.b/card", "ignoredByScheduler": True}]
    async with world.extended(filterVerb="filter", nodeCacheCapable=True, managedResources=managed):
        await world.server.given(PODS, pod(requests={"cpu": "3"}, limits={"a.b/card": "1", "cpu": "3"}))
        await asked_for.wait()
        for number in range(3):
            await world.server.given(PODS, pod(f"other-{number}", requests={"cpu": "3"}))
        for number in range(3):
            await world.bound(f"other-{number}")
        go_on.set()
        assert "3 Insufficient cpu" in await world.told()


async def test_one_that_binds_is_asked_to_in_the_schedulers_place(world):
    """What it says is looked at: a pod that it did not bind is told so, and the place is free again."""

    async def answer(_path, asked):
        if asked["PodName"] == "web":
            await world.server.bind(asked["PodName"], asked["Node"])
        return {"Error": "not this one" if asked["PodName"] == "refused" else ""}

    world.extender.answer = answer
    async with world.extended(bindVerb="bind"):
        await world.server.given(PODS, pod())
        node_name = await world.bound()
        assert world.extender.asked[0].keys() == {"PodName", "PodNamespace", "PodUID", "Node"}
        assert (world.extender.asked[0]["PodNamespace"], world.extender.asked[0]["Node"]) == (
            "default",
            node_name,
        )
        await world.server.given(PODS, pod("refused"))
        assert (await world.told("refused")).endswith(": not this one")
        await world.server.given(PODS, pod("forgotten"))
        assert "it said that the pod was bound, and it is not" in await world.told("forgotten")
        assert world.binding_calls() == []


async def test_one_that_is_not_trusted_is_not_asked(world):
    """By the certificates that the file names."""
    async with world.extended(filterVerb="filter", tlsConfig={}):
        await world.server.given(PODS, pod())
        assert "could not be asked" in await world.told()
    assert world.extender.asked == []
    world.extender.answer = lambda _path, asked: {"Nodes": asked["Nodes"]}
    async with world.extended(filterVerb="filter", tlsConfig={"insecure": True}):
        assert await world.bound()
