"""Dockershim killed after every call to the engine and to a CNI plugin that a pod's life takes, and started again.

On an engine of the test's own, and on the real one; the plugins are the test's own in both.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import docker
import pytest

from dockershim.core.naming import Scope
from dockershim.core.times import format_since, parse_ns
from dockershim.docker import Engine
from dockershim.engine_connection import Connection, EngineConnection
from dockershim.purge import purge
from machinery.pb import cri_pb2 as cri
from machinery.process.clock import SystemClock
from tests.support.cri_servers import DOCKER, IMAGE, SLEEPS
from tests.support.fake_engine import FakeEngine, FakePlugins
from tests.support.images import build_all
from tests.support.mortal_dockershim import MortalDockershim, mortal_dockershim
from tests.support.requirements import need
from tests.support.waiting import until

WANTED = (
    "POST containers/create",
    "POST containers/start",
    "POST containers/kill",
    "ADD bridge",
    "ADD portmap",
    "DEL portmap",
    "DEL bridge",
)
_MOST_CALLS = 200  # a life that takes more does not end


@dataclass(frozen=True, slots=True)
class Bench:
    """An engine, and what a second opinion says of it."""

    cluster: str
    connection: Connection
    starts: Callable[[str], int]  # how often a container of this name was started
    stop_signals: Callable[[str], int]  # how often it was sent SIGTERM
    listens: Callable[[str], bool]  # whether its script runs and has said what it does at SIGTERM


@contextlib.asynccontextmanager
async def fake_bench() -> AsyncIterator[Bench]:
    """An engine that has the tests' image; the sandboxes' it does not."""
    engine = FakeEngine({IMAGE})

    def stop_signals(name: str) -> int:
        return [(who, which) for _, who, which in engine.signals].count((name, "SIGTERM"))

    yield Bench("blue", engine, engine.started.count, stop_signals, lambda _name: True)


@contextlib.asynccontextmanager
async def docker_bench() -> AsyncIterator[Bench]:
    """The machine's engine; nothing is left on it in the end."""
    need("docker")
    await asyncio.to_thread(build_all)
    scope = Scope(f"test-{secrets.token_hex(4)}", "node-1")
    connection = EngineConnection(DOCKER, SystemClock())
    begun = _moment(await Engine(connection).info())
    with contextlib.closing(docker.from_env()) as client:
        label = f"kubarium.cluster={scope.cluster}"

        def happened(name: str, event: str) -> list[dict[str, str]]:
            filters = {"type": "container", "event": event, "label": label}
            found = client.events(since=begun, until=_moment(client.info()), filters=filters, decode=True)
            attributes = [each["Actor"]["Attributes"] for each in found]
            return [each for each in attributes if each["name"] == name]

        def starts(name: str) -> int:
            return len(happened(name, "start"))

        def stop_signals(name: str) -> int:
            return sum(each["signal"] == "15" for each in happened(name, "kill"))

        def listens(name: str) -> bool:
            status = Path(f"/proc/{client.api.inspect_container(name)['State']['Pid']}/status").read_text()
            fields = dict(line.split(":\t", 1) for line in status.splitlines())
            handled = int(fields["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1
            return fields["Name"] == "sh" and bool(handled)

        try:
            yield Bench(scope.cluster, connection, starts, stop_signals, listens)
        finally:
            await purge(DOCKER, scope)
            await connection.aclose()


BENCHES = {"fake": fake_bench, "docker": docker_bench}


@pytest.mark.parametrize("kind", ["fake", pytest.param("docker", marks=pytest.mark.docker)])
async def test_a_pod_comes_and_goes_once_whenever_dockershim_dies(kind: str, tmp_path: Path):
    """One sandbox with one address, one start of its container, one stop signal to it; in the end no container, address or note is left."""
    async with BENCHES[kind]() as bench:
        plugins = FakePlugins()
        async with mortal_dockershim(tmp_path, bench.cluster, bench.connection, plugins.run) as shim:
            for fatal in range(_MOST_CALLS):
                shim.deaths = 0
                await shim.start(fatal)
                config = await come(shim, bench, plugins, fatal)
                await go(shim, bench, plugins, config, fatal)
                assert notes(tmp_path) == ["network.json"], f"after call {fatal}"  # the pod range
                await shim.kill()
                if not shim.deaths:
                    break
            else:
                pytest.fail("there is always another call")
            assert {*shim.mortality.made} >= {*WANTED}


async def test_a_network_is_found_whole_or_broken_whenever_dockershim_dies_of_a_check(tmp_path: Path):
    """A pod whose network is whole stays ready through it; one that a port no longer leads to is not, and goes without a trace."""
    async with fake_bench() as bench:
        plugins = FakePlugins()
        async with mortal_dockershim(tmp_path, bench.cluster, bench.connection, plugins.run) as shim:
            for is_broken in (False, True):
                for fatal in range(_MOST_CALLS):
                    number = _MOST_CALLS * is_broken + fatal
                    await shim.start()
                    pod = await come(shim, bench, plugins, number)
                    await shim.kill()
                    if is_broken:
                        plugins.mapped.clear()
                    shim.deaths = 0
                    await shim.start(fatal)
                    await until(partial(has_checked, shim), what="all is checked")
                    await check(shim, is_broken=is_broken, why=f"after call {fatal}, {shim.deaths} deaths")
                    is_through = not shim.deaths
                    await go(shim, bench, plugins, pod, number)
                    await shim.kill()
                    if is_through:
                        break
                else:
                    pytest.fail("there is always another call")
                assert fatal > 0, "none died of a call"
                assert notes(tmp_path) == ["network.json"]


async def has_checked(shim: MortalDockershim) -> bool:
    """Whether the one that lives has asked the last plugin, or one before it has noted that the network is broken."""
    await shim.revive()
    [note] = (shim.folder / "state" / "network").glob("*.json")
    return "CHECK portmap" in shim.mortality.made or "broken" in json.loads(note.read_bytes())


async def check(shim: MortalDockershim, *, is_broken: bool, why: str) -> None:
    """Wait until the only pod is as ready as its network is whole."""
    wanted = cri.SANDBOX_NOTREADY if is_broken else cri.SANDBOX_READY

    async def state() -> Any:
        [sandbox] = (await shim.ask("ListPodSandbox", cri.ListPodSandboxRequest())).items
        return sandbox.state

    async def is_so() -> bool:
        return bool(await state() == wanted)

    await until(is_so, what=f"the pod's state is {wanted}, {why}")


async def come(shim: MortalDockershim, bench: Bench, plugins: FakePlugins, fatal: int) -> Any:
    """Bring a pod up, and check that it is there once; return its configuration."""
    name = f"web-{fatal}"
    pod = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name=name, namespace="default", uid=f"{bench.cluster}-{fatal}"),
        hostname=name,
        log_directory=f"{shim.folder}/logs/{name}",
        port_mappings=[cri.PortMapping(container_port=80, host_port=8080)],
    )
    main = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name="main"),
        image=cri.ImageSpec(image=IMAGE),
        command=["sh", "-c", SLEEPS.script],
        log_path="main/0.log",
    )
    network = cri.RuntimeConfig(network_config=cri.NetworkConfig(pod_cidr="10.88.9.0/24"))
    await shim.ask("UpdateRuntimeConfig", cri.UpdateRuntimeConfigRequest(runtime_config=network))
    sandbox_id = (await shim.ask("RunPodSandbox", cri.RunPodSandboxRequest(config=pod))).pod_sandbox_id
    creation = cri.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=main, sandbox_config=pod)
    container_id = (await shim.ask("CreateContainer", creation)).container_id
    await shim.ask("StartContainer", cri.StartContainerRequest(container_id=container_id))
    why = f"after call {fatal}, {shim.deaths} deaths"
    assert await on_engine(bench) == {sandbox_id: "running", container_id: "running"}, why
    assert list(plugins.addresses) == [sandbox_id], why
    assert plugins.mapped == {sandbox_id}, why
    status = (
        await shim.ask("PodSandboxStatus", cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id))
    ).status
    assert (status.state, status.network.ip) == (cri.SANDBOX_READY, plugins.addresses[sandbox_id]), why
    full_name = f"k8s_main_{name}_default_{bench.cluster}-{fatal}_0"
    assert await asyncio.to_thread(bench.starts, full_name) == 1, why
    await until(partial(asyncio.to_thread, bench.listens, full_name), what=f"the script runs, {why}")
    return pod


async def go(shim: MortalDockershim, bench: Bench, plugins: FakePlugins, pod: Any, fatal: int) -> None:
    """Stop and remove the pod in order, and check that it ended well and that nothing is left."""
    sandboxes = (await shim.ask("ListPodSandbox", cri.ListPodSandboxRequest())).items
    containers = (await shim.ask("ListContainers", cri.ListContainersRequest())).containers
    [sandbox], [container] = sandboxes, containers
    why = f"after call {fatal}, {shim.deaths} deaths"
    assert sandbox.metadata == pod.metadata, why
    await shim.ask("StopContainer", cri.StopContainerRequest(container_id=container.id, timeout=20))
    status = (await shim.ask("ContainerStatus", cri.ContainerStatusRequest(container_id=container.id))).status
    assert (status.state, status.exit_code) == (cri.CONTAINER_EXITED, 0), why  # 137 would be SIGKILL
    full_name = f"k8s_main_{pod.metadata.name}_default_{pod.metadata.uid}_0"
    assert await asyncio.to_thread(bench.stop_signals, full_name) == 1, why
    await shim.ask("StopPodSandbox", cri.StopPodSandboxRequest(pod_sandbox_id=sandbox.id))
    assert not plugins.addresses, why
    assert not plugins.mapped, why
    await shim.ask("RemoveContainer", cri.RemoveContainerRequest(container_id=container.id))
    await shim.ask("RemovePodSandbox", cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox.id))
    assert await on_engine(bench) == {}, why


async def on_engine(bench: Bench) -> dict[str, str]:
    """Return the states of the cluster's containers, as the engine itself lists them."""
    listed = await Engine(bench.connection).containers(Scope(bench.cluster, "node-1").selectors)
    return {item["Id"]: item["State"] for item in listed}


def notes(folder: Path) -> list[str]:
    """Return the names of all notes in the state folder."""
    return sorted(path.name for path in (folder / "state").rglob("*.json"))


def _moment(info: dict[str, Any]) -> str:
    """Return the engine's time as its events take it: seconds with nine decimals."""
    return format_since(parse_ns(info["SystemTime"]))
