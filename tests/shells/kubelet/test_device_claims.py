"""Claims of devices are prepared by drivers that have registered, over real sockets, and put away after their pods."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from kubelet.core.plugins import Plugin
from kubelet.devices import DeviceClaims, DeviceProblem, Drivers
from kubelet.devices.drivers import TYPE
from kubelet.plugins import PluginRefused
from machinery.model.k8s.core_v1 import Pod, ResourceClaim, ResourceRequirements
from machinery.model.log import SILENT
from machinery.model.resources import RESOURCE_CLAIMS
from machinery.process.clock import WALL
from machinery.wire.dra_plugin import SERVICE_PATH, VERSION, messages
from tests.support.builders import changed, container
from tests.support.device_claims import allocate, claim, pod
from tests.support.kubelet_node import KeptEvents
from tests.support.plugins import serving, unary
from tests.support.scripted_api import LocalRegistry, local_registry

NAME = "cards.example.com"


class Driver:
    """Prepares what it is asked for, unless it should fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.error = ""
        self.skips = False

    async def _prepare(self, request: Any, _context: object) -> Any:
        self.calls.append(("prepare", [each.name for each in request.claims]))
        answer = messages.NodePrepareResourcesResponse()
        for each in () if self.skips else request.claims:
            device = messages.Device(
                request_names=["card"], pool_name="p", device_name="one", cdi_device_ids=["x/d=one"]
            )
            answer.claims[each.uid].MergeFrom(
                messages.NodePrepareResourceResponse(devices=[device], error=self.error)
            )
        return answer

    async def _unprepare(self, request: Any, _context: object) -> Any:
        self.calls.append(("unprepare", [each.name for each in request.claims]))
        answer = messages.NodeUnprepareResourcesResponse()
        for each in request.claims:
            answer.claims[each.uid].error = self.error
        return answer

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return what serves it."""
        methods = {
            "NodePrepareResources": unary(self._prepare, messages.NodePrepareResourcesRequest),
            "NodeUnprepareResources": unary(self._unprepare, messages.NodeUnprepareResourcesRequest),
        }
        return grpc.method_handlers_generic_handler(SERVICE_PATH, methods)


class Node:
    """A kubelet's part for devices, with one driver."""

    def __init__(self, server: LocalRegistry, root: Path) -> None:
        self.server, self.root = server, root
        self.driver, self.events = Driver(), KeptEvents()
        socket = str(root / "dra.sock")
        self.plugin = Plugin(TYPE, NAME, socket, (VERSION,), socket)
        self.drivers = Drivers(root, WALL)
        self.claims = self.restarted()

    def restarted(self) -> DeviceClaims:
        """Return what a kubelet that starts again has."""
        return DeviceClaims(self.server.user, self.root, self.drivers, self.events, SILENT)  # type: ignore[arg-type]

    async def user(self, name: str, *, of: str = "data") -> Pod:
        """Return a pod that uses a claim."""
        own = container("main")
        uses = ResourceRequirements(claims=[ResourceClaim(name="shared")])
        return changed(pod(name, shared=of), spec__containers=[changed(own, resources=uses)])

    def ids(self, of: Pod) -> list[str]:
        return self.claims.cdi_ids(of, of.spec.containers[0])


@pytest.fixture
def root() -> Iterator[Path]:
    """Return a folder whose sockets have short paths: the kernel takes 107 characters."""
    with tempfile.TemporaryDirectory(prefix="kb-", dir="/tmp") as folder:
        yield Path(folder)


@asynccontextmanager
async def node_with(root: Path, *users: str) -> AsyncIterator[Node]:
    """Run a driver; the claim `data` is allocated, for pods of these names."""
    async with local_registry(WALL) as server:
        node = Node(server, root)
        await server.given(RESOURCE_CLAIMS, claim("data"))
        await allocate(server.user, "data", [pod(name) for name in users])
        async with serving(root / "dra.sock", node.driver.handlers()):
            await node.drivers.registered(node.plugin)
            yield node


async def test_what_pods_share_is_prepared_once_and_put_away_with_the_last(root: Path) -> None:
    """Also by a kubelet that has started again in between."""
    async with node_with(root, "a", "b") as node:
        first, second = await node.user("a"), await node.user("b")
        await node.claims.prepare(first)
        await node.claims.prepare(first)
        node.claims = node.restarted()
        await node.claims.prepare(second)
        assert node.ids(first) == node.ids(second) == ["x/d=one"]
        await node.claims.unprepare(first.metadata.uid)
        assert node.driver.calls == [("prepare", ["data"])]
        node.claims = node.restarted()
        await node.claims.sweep({second.metadata.uid})
        assert node.driver.calls == [("prepare", ["data"])]
        await node.claims.sweep(set())
        await node.claims.unprepare(second.metadata.uid)
        assert node.driver.calls == [("prepare", ["data"]), ("unprepare", ["data"])]


async def test_what_a_driver_cannot_do_is_told_and_tried_again(root: Path) -> None:
    """By Kubernetes' words; a claim that was begun is put away when its pod goes."""
    async with node_with(root, "a") as node:
        web = await node.user("a")
        for skips, error, text in (
            (False, "no card", "NodePrepareResources failed for claim default/data: no card"),
            (True, "", "NodePrepareResources skipped 1 ResourceClaims"),
        ):
            node.driver.skips, node.driver.error = skips, error
            with pytest.raises(DeviceProblem, match=text):
                await node.claims.prepare(web)
            assert (
                node.events.messages[-1]
                == f"Failed to prepare dynamic resources: prepare dynamic resources: {text}"
            )
        with pytest.raises(DeviceProblem, match="unable to get resource for namespace: default, claim: data"):
            node.ids(web)
        await node.drivers.deregistered(node.plugin)
        with pytest.raises(DeviceProblem, match=f"DRA driver {NAME} is not registered"):
            await node.claims.prepare(web)
        with pytest.raises(DeviceProblem, match=f"DRA driver {NAME} is not registered"):
            await node.claims.unprepare(web.metadata.uid)
        await node.drivers.registered(node.plugin)
        await node.claims.unprepare(web.metadata.uid)
        assert node.driver.calls[-1] == ("unprepare", ["data"])


@pytest.mark.parametrize(
    ("name", "of", "text"),
    [
        ("other", "data", "is not allowed to use resource claim data"),
        ("a", "none", "fetch ResourceClaim none referenced by pod a"),
    ],
)
async def test_a_pod_without_a_right_to_its_claim_does_not_begin(
    root: Path, name: str, of: str, text: str
) -> None:
    """The claim is not reserved for it, or not there."""
    async with node_with(root, "a") as node:
        with pytest.raises(DeviceProblem, match=text):
            await node.claims.prepare(await node.user(name, of=of))
        assert node.driver.calls == []


async def test_records_that_cannot_be_read_are_left(root: Path) -> None:
    """The kubelet begins without."""
    async with node_with(root, "a") as node:
        (root / "dra_manager_state").write_text("{")
        node.claims = node.restarted()
        await node.claims.prepare(await node.user("a"))
        assert node.driver.calls == [("prepare", ["data"])]


@pytest.mark.parametrize(("name", "versions"), [("", (VERSION,)), (NAME, ("v1beta1.DRAPlugin",))])
def test_a_driver_of_another_version_is_refused(root: Path, name: str, versions: tuple[str, ...]) -> None:
    """It may register again."""
    with pytest.raises(PluginRefused):
        Drivers(root, WALL).check(Plugin(TYPE, name, "x", versions, "x"))
