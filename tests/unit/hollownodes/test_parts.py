"""The small parts between a hollow node and the world."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hollownodes.config import HollowNodesConfig
from hollownodes.link import Link
from hollownodes.runtime_channel import RuntimeChannel
from hollownodes.transport import shared_line_of
from kubelet.runtime import Runtime
from machinery.client.transport import ApiRequest
from machinery.model.errors import (
    DeadlineExceeded,
    InternalError,
    NotFound,
    NotImplementedHere,
    Unavailable,
)
from machinery.model.hollow_nodes import certificate_of, names_by_certificate, node_names, pod_range
from machinery.model.requests import Fence, PatchType
from machinery.model.resources import LEASES, NODES, PODS
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


def test_only_what_many_nodes_write_goes_together():
    """A lease that is created, or read, goes by itself; so does what carries a fence."""
    renewal = ApiRequest("Update", LEASES, "kube-node-lease", "a")
    assert shared_line_of(renewal) == shared_line_of(renewal._replace(name="b")) is not None
    assert shared_line_of(renewal._replace(method="Create")) is None
    assert shared_line_of(ApiRequest("Get", LEASES, "kube-node-lease", "a")) is None
    status = ApiRequest("Patch", PODS, "default", "a", "status", patch_type=PatchType.STRATEGIC_MERGE)
    assert shared_line_of(status) is not None
    assert shared_line_of(status._replace(resource=NODES, namespace="")) is not None
    assert shared_line_of(status._replace(subresource="")) is None
    assert shared_line_of(renewal._replace(fence=Fence("kube-system", "l", "uid", "me", 1))) is None
