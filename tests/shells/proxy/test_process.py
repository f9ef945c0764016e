"""The whole proxy in a node's namespace, fed by a registry in memory."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from machinery.client.api import Api
from machinery.model.k8s.core_v1 import Pod, PodIP
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.k8s.networking_v1 import NetworkPolicy, NetworkPolicySpec
from machinery.model.resources import ENDPOINT_SLICES, NETWORK_POLICIES, NODES, PODS, SERVICES
from machinery.process.clock import SystemClock
from machinery.process.logging import Log
from machinery.process.run import Process
from proxy.app import Proxy
from proxy.config import ProxyConfig
from tests.support import builders
from tests.support.netns import POD_IPS, Lab, inside
from tests.support.proxy import endpoint, endpoint_slice, routed_node, service
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.stalls import taking
from tests.support.waiting import stays, until

NODE = "node-1"
TARGET = "10.244.1.3 . 9123"
ISOLATED = f"{POD_IPS['pod-1a']} : jump ingress-"
CONFIG = ProxyConfig(node_name=NODE, server="memory:0")


@dataclass
class Running:
    """A proxy at work."""

    api: Api
    process: Process
    log: io.StringIO

    async def rules(self) -> str:
        """Read the kernel's table."""
        argv = ["nft", "list", "table", "ip", "kubarium-proxy"]
        pipe = asyncio.subprocess.PIPE
        listing = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=pipe)
        return (await listing.communicate())[0].decode()

    async def until(self, is_so: Callable[[str], bool], limit_s: float = 60.0) -> None:
        """Wait for the kernel's table to be so."""
        try:
            async with asyncio.timeout(limit_s):
                while not is_so(await self.rules()):
                    pass
        except TimeoutError:
            raise AssertionError(self.log.getvalue()) from None


@asynccontextmanager
async def running(server: LocalRegistry, config: ProxyConfig = CONFIG) -> AsyncIterator[Running]:
    """Run a proxy in the namespace of this thread."""
    api, log = server.api("proxy"), io.StringIO()
    async with asyncio.TaskGroup() as tasks:
        process = Process("proxy", config, Log("proxy", stream=log), tasks)
        work = tasks.create_task(Proxy(config, process, api).run())
        yield Running(api, process, log)
        work.cancel()


def in_node(lab: Lab, scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in the node's namespace."""

    async def run() -> None:
        async with asyncio.timeout(200):
            await scenario()

    inside(lab.space(NODE), lambda: asyncio.run(run()))


@asynccontextmanager
async def furnished() -> AsyncIterator[LocalRegistry]:
    """Return an apiserver with a node, and a Service with one ready endpoint."""
    async with local_registry(SystemClock()) as server:
        await server.given(NODES, routed_node(NODE, "10.244.1.0/24", "10.77.250.11"))
        await server.given(SERVICES, service())
        await server.given(ENDPOINT_SLICES, endpoint_slice(endpoint(POD_IPS["pod-1b"])))
        yield server


async def _set_ready(here: Running, *, ready: bool) -> None:
    ends = endpoint_slice(endpoint(POD_IPS["pod-1b"], ready=ready))
    await here.api.patch(
        ENDPOINT_SLICES, ends.metadata.name, {"endpoints": ends.endpoints}, namespace="default"
    )


def test_readiness_is_followed(lab: Lab) -> None:
    """An endpoint that becomes unready or ready is in the rules at once, not at the next look at all of them."""

    async def scenario() -> None:
        async with furnished() as server, running(server) as here:
            await here.until(lambda _rules: not here.process.health.problems())
            assert TARGET in await here.rules()
            for ready in (False, True):
                await _set_ready(here, ready=ready)
                with taking(less_than_s=15):
                    await here.until(lambda rules, ready=ready: (TARGET in rules) is ready)

    in_node(lab, scenario)


def test_rules_outlive_the_proxy(lab: Lab) -> None:
    """The rules stay when the proxy goes; the next one makes good what has changed in between."""

    async def scenario() -> None:
        async with furnished() as server:
            async with running(server) as here:
                await here.until(lambda rules: TARGET in rules)
            assert TARGET in await here.rules()
            await server.user.delete(SERVICES, "web", namespace="default")
            async with running(server) as here:
                await here.until(lambda rules: TARGET not in rules)

    in_node(lab, scenario)


def test_a_missing_nft_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Without nft the proxy is not ready and says why, once; when it comes the proxy goes on by itself."""

    async def scenario() -> None:
        with monkeypatch.context() as patched:
            patched.setenv("PATH", str(tmp_path))
            patched.setattr("proxy.commands.SYSTEM_PATH", str(tmp_path))
            async with furnished() as server, running(server) as here:
                await until(lambda: "sync_failed" in here.log.getvalue())
                await stays(lambda: here.log.getvalue().count("sync_failed") == 1, for_s=0.5)
                problems = here.process.health.problems()
                assert problems[0] == "starting"
                assert "there is no nft" in problems[1]
                assert here.log.getvalue().count("sync_failed") == 1
                patched.undo()
                await here.until(lambda _rules: not here.process.health.problems())

    in_node(lab, scenario)


def test_policies_come_and_go(lab: Lab) -> None:
    """Pods are looked at as soon as there is a policy, and only then; a new proxy never leaves a pod open."""
    pod, policy = _isolated_pod(), _deny_all()

    async def scenario() -> None:
        async with furnished() as server:
            async with running(server) as here:
                await here.until(lambda rules: TARGET in rules)
                await server.given(PODS, pod)
                await server.given(NETWORK_POLICIES, policy)
                await here.until(lambda rules: ISOLATED in rules)
            async with running(server) as here:
                await here.until(lambda _rules: not here.process.health.problems())
                assert ISOLATED in await here.rules()
                await server.user.delete(NETWORK_POLICIES, "deny", namespace="default")
                await here.until(lambda rules: "hook forward" not in rules)
                assert TARGET in await here.rules()

    in_node(lab, scenario)


def _isolated_pod() -> Pod:
    made = builders.pod(name="web", node=NODE)
    ips = [PodIP(ip=POD_IPS["pod-1a"])]
    return builders.changed(made, status=builders.changed(made.status, phase="Running", podIPs=ips))


def _deny_all() -> NetworkPolicy:
    spec = NetworkPolicySpec(podSelector=LabelSelector(), policyTypes=["Ingress"])
    return NetworkPolicy(metadata=builders.meta("deny", "default"), spec=spec)


def test_load_balancers_are_told_who_has_endpoints(lab: Lab) -> None:
    """At the health check node port, as endpoints become ready and unready; a port that goes is closed."""

    async def told(port: int) -> str:
        try:
            async with asyncio.timeout(60):
                reader, writer = await asyncio.open_connection("10.77.250.11", port)
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = (await reader.read()).decode()
                writer.close()
        except ConnectionError:
            return "closed"
        return answer.split(" ")[1]

    async def until_told(port: int, answer: str) -> None:
        async with asyncio.timeout(60):
            while await told(port) != answer:
                pass

    async def scenario() -> None:
        async with furnished() as server, running(server) as here:
            change = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 32_001}
            await here.api.patch(SERVICES, "web", {"spec": change}, namespace="default")
            await until_told(32_001, "200")
            await _set_ready(here, ready=False)
            await until_told(32_001, "503")
            await here.api.patch(
                SERVICES, "web", {"spec": {"externalTrafficPolicy": "Cluster"}}, namespace="default"
            )
            await until_told(32_001, "closed")

    in_node(lab, scenario)
