"""An apiserver with one of several fronts of its REST door: `python -m benchmarks.rest_front_server FRONT FLAG…`.

FRONT is `ours` (what the apiserver has) or `aiohttp` (its low-level server for every request, without our limits).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final, TypeAlias, cast

from aiohttp import web

from apiserver import app
from apiserver.config import ApiserverConfig
from apiserver.rest.door import Door
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.limits import Limits
from apiserver.rest.streams import Outlet
from apiserver.storage.etcd import EtcdStorage
from machinery.process.run import Process, run
from machinery.process.tls import ServerTls, peer_of_certificate

Front: TypeAlias = Callable[[app.Core, ApiserverConfig, Process], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def aiohttp_alone(core: app.Core, config: ApiserverConfig, process: Process) -> AsyncIterator[None]:
    """Serve the door with aiohttp's low-level server."""
    door = Door(app.rest_services(core, process), Limits())

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        tls = request.get_extra_info("ssl_object")
        peer = peer_of_certificate(tls.getpeercert(binary_form=True))
        http = HttpRequest(request.method, request.raw_path, request.headers, peer, request.read)
        return await door.handle(Exchange(http, request, cast("Outlet", None)))  # nothing here streams

    runner = web.ServerRunner(web.Server(answer, access_log=None, handler_cancellation=True))
    await runner.setup()
    host, _, port = config.rest_listen[0].rpartition(":")
    tls = ServerTls(config.cert_file, config.key_file, config.ca_file, require_client=False)
    await web.TCPSite(runner, host, int(port), ssl_context=tls.ssl_context()).start()
    try:
        yield
    finally:
        await runner.cleanup()


FRONTS: Final[dict[str, Front]] = {"aiohttp": aiohttp_alone, "ours": app.doors}


async def serve(front: Front, config: ApiserverConfig, process: Process) -> None:
    """Serve until cancelled."""
    core = app.build(config, process, EtcdStorage(config.etcd_servers))
    async with app.running(core, process), front(core, config, process):
        await core.bootstrap.run_until_done(process.clock)
        core.registry.open()
        process.ready()
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


def main(argv: list[str]) -> int:
    """Run one of the fronts."""
    name, *flags = argv
    serving: Any = partial(serve, FRONTS[name])
    return run("apiserver", ApiserverConfig, serving, flags)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
