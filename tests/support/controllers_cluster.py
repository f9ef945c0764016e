"""The controllers' process against a registry in memory, in virtual time: started, killed, and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from controllers.app import build
from controllers.core.actions import Count
from controllers.core.controller import Build, Settings
from controllers.core.kinds import KINDS
from controllers.table import CONTROLLERS
from machinery.model.log import SILENT
from machinery.model.pods import is_ready
from machinery.model.profile import Intervals, intervals
from machinery.model.requests import DeleteOptions
from machinery.model.resources import PODS
from machinery.process import published_schemas
from tests.support.certificate_requests import sign_anything
from tests.support.election import SkewedClock
from tests.support.inline_executor import InlineExecutor
from tests.support.scripted_api import LocalRegistry, ScriptedApi, local_registry
from tests.support.virtual_clock import VirtualClock

TABLE = intervals("default")


class Cluster:
    """A server, a client for the test, and controllers processes that can be killed."""

    def __init__(
        self, clock: VirtualClock, server: LocalRegistry, table: Sequence[Build], intervals_: Intervals
    ) -> None:
        self._table = table
        self._intervals = intervals_
        self.clock, self.server, self.user = clock, server, server.user
        self.apis: dict[str, ScriptedApi] = {}
        self.clocks: dict[str, SkewedClock] = {}
        self.counts: list[Count] = []  # what all processes have counted on /metrics
        self._processes: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str) -> ScriptedApi:
        """Start a controllers process."""
        api = self.apis[name] = self.server.api(name)
        clock = self.clocks[name] = SkewedClock(self.clock, 0)
        settings = Settings(
            self._intervals,
            KINDS,
            cluster_cidr="10.244.0.0/16",
            load_balancer_pool="10.77.0.211-10.77.0.254",
            root_ca="PEM",
            sign_token=lambda claims: f"token of {claims['sub']}",
            sign_certificate=sign_anything,
            published=published_schemas.document,
        )
        controllers = build(
            api,
            clock,
            SILENT,
            settings,
            identity=name,
            table=self._table,
            checks_writes=True,
            count=self.counts.append,
        )
        self._processes[name] = asyncio.ensure_future(controllers.run())
        return api

    async def stop(self, name: str, *, kill: bool = False) -> None:
        """End a process; killed, it can do nothing on its way out."""
        if kill:
            await self.apis[name].aclose()
        self._processes[name].cancel()
        [result] = await asyncio.gather(self._processes.pop(name), return_exceptions=True)
        assert not isinstance(result, Exception), result

    async def stop_all(self) -> None:
        """End what still runs."""
        for name in list(self._processes):
            await self.stop(name)

    async def lead(self, name: str) -> None:
        """Wait for a process to end by itself."""
        await self._processes.pop(name)

    async def kubelet(self, node: str = "") -> None:
        """Make every pod that is not Ready so, on a node if one is given."""
        for pod in (await self.user.list(PODS)).items:
            if not is_ready(pod):
                ready = {"type": "Ready", "status": "True"}
                status = {"phase": "Running", "podIP": f"10.244.0.{len(pod.metadata.name)}"}
                name, namespace = pod.metadata.name, pod.metadata.namespace
                if node:
                    await self.server.bind(name, node)
                patch = {"status": {**status, "conditions": [ready]}}
                await self.user.patch(PODS, name, patch, namespace=namespace, subresource="status")

    async def end_pods(self) -> list[str]:
        """End the pods that are being deleted, as their kubelets do, and name them."""
        ending = [pod for pod in (await self.user.list(PODS)).items if pod.metadata.deletionTimestamp]
        for pod in ending:
            meta = pod.metadata
            at_once = DeleteOptions(grace_period_s=0)
            await self.user.delete(PODS, meta.name, namespace=meta.namespace, options=at_once)
        return [pod.metadata.name for pod in ending]

    async def pods(self) -> list[str]:
        """Name the pods."""
        return [pod.metadata.name for pod in (await self.user.list(PODS)).items]


@asynccontextmanager
async def cluster_with(
    *names: str, table: Sequence[Build] = CONTROLLERS, intervals_: Intervals = TABLE
) -> AsyncIterator[Cluster]:
    """Run a server, and controllers processes of these names."""
    clock = VirtualClock()
    asyncio.get_running_loop().set_default_executor(InlineExecutor())
    async with local_registry(clock) as server:
        cluster = Cluster(clock, server, table, intervals_)
        for name in names:
            cluster.start(name)
        try:
            yield cluster
        finally:
            await cluster.stop_all()
