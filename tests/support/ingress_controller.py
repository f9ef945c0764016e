"""An ingress controller at work: the real proxy, a registry in memory, and web servers behind it."""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from ingress.app import Controller
from ingress.config import IngressConfig
from machinery.model.k8s.core_v1 import Namespace
from machinery.model.resources import ENDPOINT_SLICES, INGRESS_CLASSES, INGRESSES, NAMESPACES, SERVICES
from machinery.process.clock import SystemClock
from machinery.process.control import Control, served
from machinery.process.logging import Log
from machinery.process.run import Process
from tests.support.builders import changed, meta
from tests.support.ingress import endpoint_slice, ingress_class, service
from tests.support.ports import free_ports
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.waiting import pause, until


def own_address() -> str:
    """Return an address of this machine that is none of loopback's: endpoints may not have those."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@dataclass
class Running:
    """The controller, its registry, and a client of the proxy."""

    registry: LocalRegistry
    controller: Controller
    process: Process
    config: IngressConfig
    client: aiohttp.ClientSession
    log: io.StringIO
    failures: list[BaseException] = field(default_factory=list)
    _servers: list[web.AppRunner] = field(default_factory=list)

    async def serve(self, name: str, *, count: int = 1) -> list[int]:
        """Run web servers that say who they are and what they were asked, as the endpoints of a new Service; return ports."""
        ports = [await self._serve_one(name) for _ in range(count)]
        await self.registry.given(SERVICES, changed(service(name, "shop"), spec__clusterIP=""))
        for index, port in enumerate(ports):
            await self.registry.given(ENDPOINT_SLICES, self.slice_of(name, port, str(index)))
        return ports

    def slice_of(self, name: str, port: int, suffix: str) -> Any:
        """Return a slice with one endpoint, here."""
        found = endpoint_slice(own_address(), of=name, port=port)
        return changed(found, metadata__name=f"{name}-{suffix}")

    async def _serve_one(self, name: str) -> int:
        async def answer(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Upgrade") == "websocket":
                return await _echo(request)
            if request.query.get("slow"):
                await pause(float(request.query["slow"]), "the answer is slow")
            body = await request.read()
            headers = {
                key.title(): value for key, value in request.headers.items()
            }  # the proxy writes them small
            return web.json_response(
                {"from": name, "path": request.raw_path, "headers": headers, "bytes": len(body)}
            )

        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(app, keepalive_timeout=75)
        await runner.setup()
        self._servers.append(runner)
        site = web.TCPSite(runner, own_address(), 0)
        await site.start()
        assert site._server is not None
        port: int = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        return port

    async def apply(self, *objects: Any) -> None:
        """Store Ingresses, and wait until the proxy follows."""
        for each in objects:
            await self.registry.given(INGRESSES, each)
        await self.settled()

    async def settled(self) -> None:
        """Wait until the controller knows everything and the proxy has it."""
        fresh = await self.registry.user.list(INGRESSES)
        seen = self.controller._watched.ingresses
        await until(lambda: len(seen.store) == len(fresh.items), what="the Ingresses are known")
        syncer = self.controller._syncer
        await until(lambda: syncer.is_settled, what="the proxy is up to date")
        assert syncer.problem == ""

    async def get(
        self, host: str, path: str = "/", *, tls: bool = False, method: str = "GET", **options: Any
    ) -> tuple[int, Any]:
        """Ask the proxy; return the status and what a web server said, or a text."""
        response = await self.raw(host, path, tls=tls, method=method, **options)
        is_json = response.content_type == "application/json"
        return response.status, await (response.json() if is_json else response.text())

    async def raw(
        self,
        host: str,
        path: str = "/",
        *,
        tls: bool = False,
        method: str = "GET",
        at: str = "127.0.0.1",
        **options: Any,
    ) -> aiohttp.ClientResponse:
        """Ask the proxy; return the response, read."""
        port = self.config.https_port if tls else self.config.http_port
        url = f"{'https' if tls else 'http'}://{at}:{port}{path}"
        headers = {"Host": host, **options.pop("headers", {})}
        secure = {"ssl": False, "server_hostname": host} if tls else {}
        async with self.client.request(
            method, url, headers=headers, allow_redirects=False, **secure, **options
        ) as response:
            await response.read()
            return response

    async def own(self, path: str) -> tuple[int, str]:
        """Ask the controller itself, through the proxy."""
        async with self.client.get(f"http://127.0.0.1:{self.config.health_port}{path}") as response:
            return response.status, await response.text()

    def shown_to(self, host: str) -> bytes:
        """Return the certificate that is shown to one who asks for a host, in DER."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.config.https_port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            return secure.getpeercert(binary_form=True) or b""

    async def aclose(self) -> None:
        """End the web servers."""
        for each in self._servers:
            await each.cleanup()


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket_ = web.WebSocketResponse()
    await socket_.prepare(request)
    async for message in socket_:
        await socket_.send_str(f"echo {message.data}")
    return socket_


@asynccontextmanager
async def running(folder: Path, *objects: tuple[Any, Any], **flags: Any) -> AsyncIterator[Running]:
    """Run a controller over some objects (resources with what is of them), with the class `edge` and the namespace `shop`."""
    log = io.StringIO()
    async with local_registry(SystemClock()) as registry, _new_client() as client:
        await registry.given(NAMESPACES, Namespace(metadata=meta("shop")))
        await registry.given(INGRESS_CLASSES, ingress_class())
        for resource, each in objects:
            await registry.given(resource, each)
        http, https, health = free_ports(3)
        config = IngressConfig(
            server="https://memory:0",
            state_dir=str(folder),
            health_socket=str(folder / "control.sock"),
            http_port=http,
            https_port=https,
            health_port=health,
            **{"reload_gap_s": 0.05, "access_log": False, **flags},
        )
        config.validate()
        async with asyncio.TaskGroup() as tasks:
            process = Process("ingress", config, Log("ingress", stream=log), tasks)
            controller = Controller(config, process, registry.api("ingress"))
            here = Running(registry, controller, process, config, client, log)
            control = Control(process.health, process.faults, process.clock, process.recorder)
            async with served(control, config.health_socket):
                work = tasks.create_task(_noting(controller, here.failures))
                try:
                    await until(lambda: not process.health.problems() or here.failures, what="it is ready")
                    yield here
                finally:
                    work.cancel()
                    await here.aclose()


async def _noting(controller: Controller, failures: list[BaseException]) -> None:
    try:
        await controller.run()
    except Exception as error:  # noqa: BLE001 - the test looks at it
        failures.append(error)


def names_of(problems: Iterable[Any]) -> set[str]:
    """Return the reasons of problems or events."""
    return {each.reason for each in problems}


def _new_client() -> aiohttp.ClientSession:
    """Return a client that keeps no connections: what it is answered comes from the configuration of now."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
