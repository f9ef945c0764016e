"""The apiserver: what is behind its doors (`apiserver.behind_doors`), run, and the doors opened.

It opens its doors at once and is ready when etcd has answered and the cluster's own objects are there. Until then,
and whenever etcd is away later, requests end with 503. SIGTERM: not ready → watches end → requests finish → store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Any, Final

import apiserver.rest.listener  # noqa: F401 - imported once, before processes are forked, not in each of them
from apiserver.access_log import AccessLog
from apiserver.behind_doors import Core, build
from apiserver.compaction import Compaction
from apiserver.config import ApiserverConfig
from apiserver.request_checks import BODY_LIMIT
from apiserver.rest.listener import AnsweringDoor
from apiserver.rest.server import serving_rest
from apiserver.rest.services import RestServices
from apiserver.services.resources import resources_handler
from apiserver.storage.endpoints import EtcdTls
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.seam import READING
from machinery.client.seam_channel import through
from machinery.model.seam import Ends
from machinery.process import heap
from machinery.process.run import Process
from machinery.process.server import GrpcServer, grpc_server
from machinery.process.tls import ServerTls

__all__ = ["Core", "build", "doors", "rest_services", "running", "serve"]

GRACE_S: Final = 2.0  # wall seconds that running requests have when the server stops


async def serve(config: ApiserverConfig, process: Process) -> None:
    """Serve both doors until cancelled."""
    async with AsyncExitStack() as stack:
        storage = _etcd(config, process)
        stack.push_async_callback(storage.aclose)
        core = build(config, process, storage)
        stack.push_async_callback(core.kubelets.aclose)
        await stack.enter_async_context(running(core, process))
        await stack.enter_async_context(doors(core, config, process))
        await core.bootstrap.run_until_done(process.clock)
        await core.presence.ensure()
        await core.feed.wait_filled()
        core.registry.open()
        process.ready()
        await core.bootstrap.complete_until_done(process.clock)
        await asyncio.get_running_loop().create_future()


@asynccontextmanager
async def running(core: Core, process: Process) -> AsyncIterator[None]:
    """Run the loops behind the doors; inside, the caches follow the store."""

    async def later(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await core.registry.wait_open(within_s=None)
        await work()

    def sleep(wall_s: float) -> Awaitable[None]:
        return process.clock.sleep(process.clock.timescale.cluster(wall_s))

    compaction = Compaction(core.storage, process.log)
    loops: dict[str, Coroutine[Any, Any, None]] = {
        "feed": core.feed.run(),
        "probe": core.feed.probe(),
        "fill": core.feed.fill(),
        "bookmarks": core.feed.bookmarks(sleep=sleep),
        "storage": core.storage.follow_problem(sleep),
        "presence": later(partial(core.presence.keep, sleep)),
        "heap": heap.keep_trimmed(sleep),
        "compaction": later(partial(compaction.run, sleep=sleep)),
        "allocation": later(core.allocator.repair_forever),
        **{f"reload-{number}": each.follow(sleep) for number, each in enumerate(core.reloaded)},
        "definitions": later(core.definitions.run),
        "legacy-tokens": later(core.keep_legacy_tokens),
        "flows": later(partial(core.flow_objects.keep, core.registry, core.bootstrap.uphold_flows, sleep)),
    }
    loops |= {name: later(work) for name, work in core.aggregation.loops().items()}
    sinks = core.trail.sinks if core.trail is not None else ()
    loops |= {f"audit-{number}": sink.run() for number, sink in enumerate(sinks)}
    tasks = [process.tasks.create_task(work, name=name) for name, work in loops.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(close() for close in (*core.closing, *(sink.aclose for sink in sinks))))


def rest_services(core: Core, process: Process, config: ApiserverConfig | None = None) -> RestServices:
    """Return what the REST door works with; the configuration is what it shows at /configz."""
    return RestServices(
        name=process.name,
        catalogue=core.catalogue,
        registry=core.registry,
        gate=core.gate,
        authenticator=core.authenticator,
        token_key=core.token_key,
        kubelets=core.kubelets,
        clock=process.clock,
        log=process.log,
        metrics=process.metrics,
        health=process.health,
        storage_size=core.storage.size_bytes,
        aggregation=core.aggregation,
        configuration=asdict(config) if config else {},
    )


@asynccontextmanager
async def doors(core: Core, config: ApiserverConfig, process: Process) -> AsyncIterator[None]:
    """Serve both doors while inside.

    Raises:
        ListenError: an address is taken.
    """
    access = AccessLog(process.log, process.clock) if config.access_log else None
    server = _grpc_door(core, config, process, access)
    async with serving_rest(
        rest_services(core, process, config),
        config.rest_listen,
        _tls(config, require_client=False),
        config.rest_limits,
        process.seam,
        access,
        _around_rest(core),
    ):
        await server.start()
        process.log.info("serving", rest=",".join(config.rest_listen), grpc=",".join(config.grpc_listen))
        try:
            yield
        finally:
            process.health.is_ready = False
            core.feed.end_watches()
            await server.stop(GRACE_S)


def _grpc_door(core: Core, config: ApiserverConfig, process: Process, access: AccessLog | None) -> GrpcServer:
    """Return the gRPC door; what is around its handler sees a request before it: the audit log, then the access log."""
    handler = resources_handler(
        core.catalogue,
        core.registry,
        core.gate,
        core.authenticator,
        name=process.name,
        others=core.aggregation.registry,
        kubelets=core.kubelets,
    )
    if access is not None:
        from apiserver.services.access import logged  # seldom needed

        handler = logged(handler, access)
    if core.trail is not None:
        from apiserver.audit.grpc import audited  # seldom needed

        handler = audited(handler, core.gate, core.authenticator, core.trail)
    return grpc_server(
        config.grpc_listen,
        _tls(config),
        [handler],
        process.seam,
        name=process.name,
        largest_bytes=2 * BODY_LIMIT,  # those up to here are refused with a Status
        connections=config.rest_limits.connections,
    )


def _around_rest(core: Core) -> Callable[[AnsweringDoor], AnsweringDoor] | None:
    """Return what is around the REST door: the audit log, where there is one."""
    if core.trail is None:
        return None
    from apiserver.audit.rest import AuditedDoor  # seldom needed

    return partial(AuditedDoor, gate=core.gate, trail=core.trail)


def _etcd(config: ApiserverConfig, process: Process) -> EtcdStorage:
    tls = (
        EtcdTls(config.etcd_ca_file, config.etcd_cert_file, config.etcd_key_file)
        if config.etcd_ca_file
        else None
    )
    return EtcdStorage(
        config.etcd_servers,
        tls,
        caller=process.name,
        seam=lambda channel, member: through(
            channel, process.seam, Ends(process.name, member, "etcd"), READING
        ),
    )


def _tls(config: ApiserverConfig, *, require_client: bool = True) -> ServerTls:
    return ServerTls(config.cert_file, config.key_file, config.ca_file, require_client=require_client)
