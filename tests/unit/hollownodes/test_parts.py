"""The small parts between a hollow node and the world."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from hollownodes.config import HollowNodesConfig
from hollownodes.link import Link
from hollownodes.runtime_channel import RuntimeChannel
from hollownodes.write_batches import WriteBatches, line_of
from kubelet.runtime import Runtime
from machinery.client.transport import ApiRequest, One, Page
from machinery.model.errors import (
    Conflict,
    DeadlineExceeded,
    InternalError,
    NotFound,
    NotImplementedHere,
    Unavailable,
)
from machinery.model.hollow_nodes import certificate_of, names_by_certificate, node_names, pod_range
from machinery.model.requests import Fence, PatchType
from machinery.model.resources import EVENTS, LEASES, NODES, PODS
from machinery.pb import cri_pb2 as cri
from machinery.process.config import ConfigError
from tests.support.virtual_clock import VirtualClock


def test_every_name_is_in_the_certificate_that_its_node_serves_with():
    """Certificates hold so many names each, and all names are in one."""
    found = names_by_certificate(501)
    assert [len(names) for names in found] == [250, 250, 1]
    for number, name in enumerate(node_names(501), 1):
        assert name in found[certificate_of(number)]


def test_each_node_has_a_range_of_its_own():
    """Beside those that a controller gives to others, from the lowest on."""
    found = [pod_range("10.128.0.0/10", number) for number in range(1, 10_001)]
    assert (found[0], found[256], len(set(found))) == ("10.129.0.0/24", "10.130.0.0/24", 10_000)
    with pytest.raises(ValueError, match="no range"):
        pod_range("10.244.0.0/16", 1)


@pytest.mark.parametrize("ranges", ["fd00:10:128::/48", "10.128.0.0/10,fd00:10:128::/48"])
def test_a_range_by_ipv6_is_refused_with_what_to_do(ranges: str):
    """A node takes a range itself by IPv4 alone."""
    config = HollowNodesConfig(name="hollownodes", server="localhost:1", nodes=3, pod_ranges=ranges)
    with pytest.raises(ConfigError, match=r"pod.ranges.*one IPv4 range; leave it empty"):
        config.validate()


async def test_a_link_that_is_held_lets_pass_later_what_is_patient():
    """Others have their deadline; whoever has no power hears that at once."""
    clock = VirtualClock()
    link = Link(clock)
    await link.passed(1)
    link.hold()
    with pytest.raises(DeadlineExceeded):
        await link.passed(1)
    patient = asyncio.ensure_future(link.passed())
    await clock.sleep(60)
    assert not patient.done()
    link.release()
    await patient
    link.die()
    with pytest.raises(Unavailable):
        await link.passed(1)


class Service:
    """Some methods of the CRI."""

    async def Version(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return cri.VersionResponse(runtime_name="hollow")

    async def ContainerStatus(self, request: Any, _context: Any) -> Any:  # noqa: N802
        raise NotFound(f"container {request.container_id} is not there")

    async def Status(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        raise ZeroDivisionError

    async def GetContainerEvents(self, _request: Any, context: Any) -> Any:  # noqa: N802
        await context.send_initial_metadata(())
        for number in range(3):
            yield cri.ContainerEventResponse(container_id=str(number))


def _runtime(clock: VirtualClock, link: Link) -> Runtime:
    services = {"runtime.v1.RuntimeService": Service(), "runtime.v1.ImageService": object()}
    return Runtime(RuntimeChannel(services, link), clock)


async def test_the_channel_answers_as_one_over_a_socket_does():
    """Answers, refusals, bugs, what is not built, and a stream to its end."""
    clock = VirtualClock()
    runtime = _runtime(clock, Link(clock))
    assert (await runtime.version()).runtime_name == "hollow"
    with pytest.raises(NotFound, match="c1"):
        await runtime.container_status("c1")
    with pytest.raises(InternalError):
        await runtime.status()
    with pytest.raises(NotImplementedHere):
        await runtime.list_images()
    events = [event async for event in runtime.container_events()]
    assert events[0] is None
    assert [event.container_id for event in events[1:]] == ["0", "1", "2"]


async def test_a_frozen_runtime_answers_when_it_is_thawed():
    """As a process that was stopped."""
    clock = VirtualClock()
    link = Link(clock)
    link.hold()
    asked = asyncio.ensure_future(_runtime(clock, link).version())
    await clock.sleep(5)
    assert not asked.done()
    link.release()
    assert (await asked).runtime_name == "hollow"


class Server:
    """Takes events, and remembers how many came together."""

    def __init__(self, *, is_down: bool = False) -> None:
        self.sizes: list[int] = []
        self.is_down = is_down

    async def page(self, request: ApiRequest, _timeout_s: float) -> Page:
        self.sizes.append(len(request.each))
        if self.is_down:
            raise Unavailable("nobody answers")
        return Page([new.body for new in request.each], 7, "", 0)


def _request(*bodies: bytes) -> ApiRequest:
    return ApiRequest("CreateEach", EVENTS, each=tuple(One("default", body, ()) for body in bodies))


async def _written(server: Server, requests: Sequence[ApiRequest]) -> list[Page | BaseException]:
    clock = VirtualClock()
    async with asyncio.TaskGroup() as tasks:
        batches = WriteBatches(server, tasks, clock, gather_s=0.1)  # type: ignore[arg-type]
        return await asyncio.gather(
            *(batches.page(_line(each), each, 5) for each in requests), return_exceptions=True
        )


class Leases:
    """Answers each write with what was sent, and refuses that of "b"."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []

    async def page(self, request: ApiRequest, _timeout_s: float) -> Page:
        assert request.method == "UpdateEach"
        self.names.append([one.name for one in request.each])
        refused = msgspec.json.encode(Conflict("somebody else wrote").to_status())
        return Page([refused if one.name == "b" else one.body for one in request.each], 0, "", 0)


def _renewal(name: str) -> ApiRequest:
    return ApiRequest(
        "Update", LEASES, "kube-node-lease", name, body=b'{"kind":"Lease","n":"%b"}' % name.encode()
    )


async def test_renewals_of_a_moment_go_together_and_each_hears_of_its_own():
    """What nobody waits for any more, as its node has no power, is not sent."""
    server = Leases()
    async with asyncio.TaskGroup() as tasks:
        batches = WriteBatches(server, tasks, VirtualClock(), gather_s=0.2)  # type: ignore[arg-type]
        a, b, c = (
            asyncio.ensure_future(batches.call(_line(_renewal(name)), _renewal(name), 5)) for name in "abc"
        )
        await asyncio.sleep(0)
        c.cancel()
        found = await asyncio.gather(a, b, c, return_exceptions=True)
    assert found[0] == _renewal("a").body
    assert [type(each) for each in found[1:]] == [Conflict, asyncio.CancelledError]
    assert server.names == [["a", "b"]]


async def test_what_cannot_be_sent_is_theirs_who_sent_it():
    """And the next ones go on."""

    class Failing(Leases):
        async def page(self, request: ApiRequest, timeout_s: float) -> Page:
            if "a" in {one.name for one in request.each}:
                raise ValueError("cannot be written")
            return await super().page(request, timeout_s)

    async with asyncio.TaskGroup() as tasks:
        batches = WriteBatches(Failing(), tasks, VirtualClock(), gather_s=0.2)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="cannot be written"):
            await batches.call(_line(_renewal("a")), _renewal("a"), 5)
        assert await batches.call(_line(_renewal("c")), _renewal("c"), 5) == _renewal("c").body


def test_only_what_many_nodes_write_goes_together():
    """A lease that is created, or read, goes by itself; so does what carries a fence."""
    assert line_of(_renewal("a")) == line_of(_renewal("b")) is not None
    assert line_of(_renewal("a")._replace(method="Create")) is None
    assert line_of(ApiRequest("Get", LEASES, "kube-node-lease", "a")) is None
    status = ApiRequest("Patch", PODS, "default", "a", "status", patch_type=PatchType.STRATEGIC_MERGE)
    assert line_of(status) is not None
    assert line_of(status._replace(resource=NODES, namespace="")) is not None
    assert line_of(status._replace(subresource="")) is None
    assert line_of(_renewal("a")._replace(fence=Fence("kube-system", "l", "uid", "me", 1))) is None


def _line(request: ApiRequest) -> Any:
    line = line_of(request)
    assert line is not None
    return line


async def test_events_of_a_moment_go_together_and_each_hears_of_its_own():
    """In requests that are not larger than the server takes."""
    server = Server()
    requests = [_request(*(b"%d-%d" % (number, each) for each in range(60))) for number in range(5)]
    pages = await _written(server, requests)
    assert [page.items for page in pages] == [[new.body for new in each.each] for each in requests]
    assert server.sizes == [120, 120, 60]


async def test_all_hear_of_a_request_that_failed():
    """Each decides for itself whether it tries again."""
    found = await _written(Server(is_down=True), [_request(b"a"), _request(b"b")])
    assert [type(each) for each in found] == [Unavailable, Unavailable]
