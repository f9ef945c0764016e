"""Bodies that are begun and do not go on: whoever has many of them is refused, and everybody else is answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from apiserver.request_checks import BODY_LIMIT
from apiserver.rest import connection, door
from apiserver.rest.body_room import OF_ALL, OF_ONE, SMALL, BodyRoom
from apiserver.rest.door import Door
from apiserver.rest.limits import Limits
from apiserver.rest.listener import Listener
from machinery.model.errors import TooManyRequests
from machinery.process.tls import Peer
from tests.support.apiserver import running_registry
from tests.support.both_doors import bind, furnish, rest_services
from tests.support.memory_connection import HandClock, MemoryClient
from tests.support.rest_door import MAPS, creation, request
from tests.support.waiting import until

ROBOT: Final = Peer("system:serviceaccount:default:robot", ("system:serviceaccounts",))
OTHER: Final = Peer("system:serviceaccount:default:other", ("system:serviceaccounts",))
ADMIN: Final = Peer("kubernetes-admin", ("system:masters",))
KUBELET: Final = Peer("system:node:node-1", ("system:nodes",))
LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
MOST: Final = OF_ONE // BODY_LIMIT
WAYS: Final = {
    "its length is told": request("POST", MAPS, f"Content-Length: {BODY_LIMIT}") + b"{" * 5_000,
    "its length is not told": request("POST", MAPS, "Transfer-Encoding: chunked")
    + b"1388\r\n"
    + b"{" * 5_000,
    "it is not wanted yet": request("POST", MAPS, "Expect: 100-continue", f"Content-Length: {BODY_LIMIT}"),
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """What the door waits by: nothing is given up unless the test says so."""
    stopped = HandClock()
    for module in (connection, door):
        monkeypatch.setattr(module, "WALL", stopped)
    return stopped


@asynccontextmanager
async def opened() -> AsyncIterator[Listener]:
    """Put a door before a registry in which two accounts may do everything in a namespace."""
    async with running_registry() as bench:
        await furnish(bench)
        for peer in (ROBOT, OTHER):
            await bind(bench, peer.common_name, {"kind": "ClusterRole", "name": "all"})
        await bench.create("namespaces", {"metadata": {"name": "kube-node-lease"}})
        services = rest_services(bench, bench.core.authenticator)
        services.health.is_ready = True
        served = Door(services, Limits())
        listener = Listener(served, Limits(), wall_s=bench.clock.now)
        try:
            yield listener
        finally:
            await served.end_streams()
            await listener.shutdown(1.0)


def _is_answered(client: MemoryClient) -> bool:
    return bool(client.statuses)


async def ask(listener: Listener, peer: Peer, data: bytes) -> int:
    """Send a request on a connection of its own, and return the status of the answer."""
    client = MemoryClient(listener, peer)
    await client.send(data)
    await client.answered(1)
    client.leave()
    return client.statuses[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.deep
async def test_many_open_bodies_of_one_keep_nobody_waiting(clock: HandClock, way: str) -> None:
    """620 of them: as many as there is room for are waited for, the others are told to come back."""
    async with opened() as listener:
        robots = [MemoryClient(listener, ROBOT) for _ in range(620)]
        for robot in robots:
            await robot.send(WAYS[way])
        await clock.advance(Limits().plain_body_s + 1)
        await until(
            lambda: sum(map(_is_answered, robots)) == len(robots) - MOST, what="answers to the others"
        )
        assert {status for robot in robots for status in robot.statuses} == {429}
        lease = json.dumps({"metadata": {"name": "node-1"}, "spec": {"holderIdentity": "node-1"}}).encode()
        assert [
            await ask(listener, ADMIN, request("GET", "/livez")),
            await ask(listener, ADMIN, request("GET", MAPS)),
            await ask(listener, ADMIN, creation("by-the-admin")),
            await ask(listener, KUBELET, request("POST", LEASES, body=lease)),
            await ask(listener, OTHER, creation("by-another")),
            await ask(listener, ROBOT, request("GET", MAPS)),
        ] == [200, 200, 201, 201, 201, 200]
        await clock.advance(Limits().answer_s + 1)
        await until(lambda: all(map(_is_answered, robots)), what="the end of those that were waited for")
        assert sorted(robot.statuses[0] for robot in robots)[-MOST:] == [504] * MOST
        large = json.dumps({"metadata": {"name": "large"}, "data": {"key": "x" * 2 * SMALL}}).encode()
        assert await ask(listener, ROBOT, request("POST", MAPS, body=large)) == 201
        for robot in robots:
            robot.leave()


async def test_the_clusters_own_are_not_counted(clock: HandClock) -> None:
    """What a node has to write goes through, however much it is."""
    async with opened() as listener:
        nodes = [MemoryClient(listener, KUBELET) for _ in range(3 * OF_ONE // BODY_LIMIT)]
        for node in nodes:
            await node.send(request("POST", LEASES, f"Content-Length: {BODY_LIMIT}") + b"{" * 5_000)
        await clock.advance(Limits().plain_body_s + 1)
        for peer, status in ((ROBOT, 201), (KUBELET, 403)):
            assert await ask(listener, peer, creation(f"by-{status}")) == status
        assert [node.statuses for node in nodes] == [[]] * len(nodes)
        for node in nodes:
            node.leave()


def test_room_is_taken_and_given_back() -> None:
    """Of one, and in all."""
    room = BodyRoom(of_one=10, of_all=15)
    room.take("a", 10)
    for user, size in (("a", 1), ("b", 6)):
        with pytest.raises(TooManyRequests):
            room.take(user, size)
    room.take("b", 5)
    room.give_back("a", 10)
    room.take("c", 10)
    assert room.taken == 15
    assert OF_ONE < OF_ALL
