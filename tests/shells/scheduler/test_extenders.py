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


async def crowded(world, *, names="a", cpu="3"):
    """Fill the nodes with pods of low priority, and have one of high priority come."""
    await world.given_class("high", 10)
    for number in (1, 2, 3):
        for each in names:
            low = pod(f"low-{number}{each}", requests={"cpu": cpu}, node=f"node-{number}")
            await world.server.given(PODS, low)
    await world.server.given(PODS, pod(requests={"cpu": "2"}, priorityClassName="high"))


async def nominated(world):
    async def found():
        return (await world.user.get(PODS, "web", namespace="default")).status.nominatedNodeName

    return await until(found, what="a node that is kept for the pod")


async def leaving(world):
    pods = (await world.user.list(PODS)).items
    return sorted(each.metadata.name for each in pods if each.metadata.deletionTimestamp)


def victims_asked(asked):
    """Return the uids of the victims by node, however they were sent."""
    if (sent := asked["NodeNameToMetaVictims"]) is not None:
        return {name: [each["UID"] for each in victims["Pods"]] for name, victims in sent.items()}
    sent = asked["NodeNameToVictims"]
    return {name: [each["metadata"]["uid"] for each in victims["Pods"]] for name, victims in sent.items()}


def victims_left(**uids):
    """Return an extender's answer: victims by node, whose "_" stands for "-"."""
    left = {
        name.replace("_", "-"): {"Pods": [{"UID": each} for each in pods], "NumPDBViolations": 0}
        for name, pods in uids.items()
    }
    return {"NodeNameToMetaVictims": left}


@pytest.mark.parametrize("has_cache", [False, True])
async def test_an_extender_leaves_some_of_the_nodes_whose_pods_may_go(world, has_cache):
    """It gets whole pods, or their uids where it has a cache; who goes is on a node that it has left."""
    world.extender.answer = lambda _path, asked: victims_left(node_2=victims_asked(asked)["node-2"])
    async with world.extended(preemptVerb="preempt", nodeCacheCapable=has_cache):
        await crowded(world)
        assert await nominated(world) == "node-2"
        assert await until(lambda: leaving(world), what="a victim") == ["low-2a"]
    asked = world.extender.asked[0]
    assert victims_asked(asked).keys() == {"node-1", "node-2", "node-3"}
    assert asked["Pod"]["metadata"]["name"] == "web"
    assert asked["NodeNameToVictims" if has_cache else "NodeNameToMetaVictims"] is None
    if not has_cache:
        [victim] = asked["NodeNameToVictims"]["node-1"]["Pods"]
        assert victim["spec"]["containers"][0]["image"] == "app:1"
        assert asked["NodeNameToVictims"]["node-1"]["NumPDBViolations"] == 0


async def test_an_extender_may_have_others_go(world):
    """Of two that do the same, the one that it names."""

    async def uid_of(name):
        return (await world.user.get(PODS, name, namespace="default")).metadata.uid

    async def answer(_path, asked):
        offered = set(victims_asked(asked)["node-3"])
        [other] = {await uid_of("low-3a"), await uid_of("low-3b")} - offered
        named.append(other)
        return victims_left(node_3=[other])

    named = []
    world.extender.answer = answer
    async with world.extended(preemptVerb="preempt", nodeCacheCapable=True):
        await crowded(world, names="ab", cpu="1500m")
        [victim] = await until(lambda: leaving(world), what="a victim")
        assert await uid_of(victim) == named[0]
        assert victim.startswith("low-3")


async def test_an_extender_that_leaves_nobody_is_told_of(world):
    """And nobody goes."""
    world.extender.answer = lambda _path, _asked: victims_left()
    async with world.extended(preemptVerb="preempt", nodeCacheCapable=True):
        await crowded(world)
        told = await world.told()
        assert told.startswith("0/3 nodes are available: 3 Insufficient cpu.")
        assert told.endswith(" preemption: no candidate node for preemption")
        assert await leaving(world) == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (503, "failed preempt with extender at URL https://"),
        ([], "it answered [], where an object is wanted"),
        (victims_left(elsewhere=["u"]), 'it names the node "elsewhere", of which it was not asked'),
        (
            victims_left(node_1=["u"]),
            'it claims to preempt pod (UID: u) on node "node-1", but the pod is not',
        ),
        (victims_left(node_1=[]), 'expected at least one victim pod on node "node-1"'),
        ({"NodeNameToMetaVictims": {"node-1": {"Pods": 7}}}, "it answered 7, where victims are wanted"),
        (
            {"NodeNameToMetaVictims": {"node-1": {"NumPDBViolations": "no"}}},
            "it counts 'no' violations, where a whole number is wanted",
        ),
    ],
)
async def test_one_that_fails_at_preemption_fails_the_pod(world, answer, problem):
    """Nobody goes, and the pod is told by whom."""
    world.extender.answer = lambda _path, _asked: answer
    async with world.extended(preemptVerb="preempt", nodeCacheCapable=True):
        await crowded(world)
        assert problem in await world.told()
        assert await leaving(world) == []


@pytest.mark.parametrize("answer", [503, [], victims_left(elsewhere=["u"])])
async def test_one_that_can_be_ignored_has_no_say_when_it_fails(world, answer):
    """The scheduler chooses, as without it."""
    world.extender.answer = lambda _path, _asked: answer
    async with world.extended(preemptVerb="preempt", nodeCacheCapable=True, ignorable=True):
        await crowded(world)
        kept = await nominated(world)
        assert await until(lambda: leaving(world), what="a victim") == [f"low-{kept[-1]}a"]


async def test_what_an_ignorable_one_says_nothing_of_is_left_out(world):
    """A node without victims, as Kubernetes has it."""
    world.extender.answer = lambda _path, asked: victims_left(
        node_1=[], node_2=victims_asked(asked)["node-2"]
    )
    async with world.extended(preemptVerb="preempt", nodeCacheCapable=True, ignorable=True):
        await crowded(world)
        assert await nominated(world) == "node-2"


async def test_pods_that_do_not_concern_it_take_the_place_of_others_without_it(world):
    """It is asked about its own resources only."""
    managed = [{"name": "a.b/card", "ignoredByScheduler": True}]
    async with world.extended(preemptVerb="preempt", managedResources=managed):
        await crowded(world)
        assert await nominated(world)
    assert world.extender.asked == []
