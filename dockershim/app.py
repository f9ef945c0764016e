"""dockershim, put together."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from dockershim import seam_engine, seam_plugins
from dockershim.catalogue import Catalogue
from dockershim.cni_chain import Chain
from dockershim.cni_plugin import PLUGIN_S, run_plugin
from dockershim.command_sessions import CommandSessions
from dockershim.config import DockershimConfig
from dockershim.core.naming import KIND_SANDBOX, Scope
from dockershim.creations import Creations, appeared
from dockershim.docker import Engine
from dockershim.engine_connection import EngineConnection
from dockershim.events import Events
from dockershim.exec_process import Commands
from dockershim.host import HostFacts
from dockershim.image_volumes import ImageVolumes
from dockershim.locks import Locks
from dockershim.logs import Logs
from dockershim.network import Network
from dockershim.network_checks import NetworkChecks
from dockershim.notes import Notes
from dockershim.private_images import PrivateImages
from dockershim.pulled_images import PulledImages
from dockershim.rpc import image_service, runtime_service
from dockershim.rpc.sandbox_status import describe_sandbox
from dockershim.seam_plugins import RunPlugin
from dockershim.shim import Shim
from dockershim.statistics import Statistics
from dockershim.streaming import Streaming
from dockershim.writable_layers import WritableLayers
from machinery.model.errors import ApiError
from machinery.pb import cri_pb2 as cri
from machinery.process.run import Process
from machinery.process.server import grpc_server
from machinery.wire.services import handler

_SERVICES = cri.DESCRIPTOR.services_by_name


async def serve(config: DockershimConfig, process: Process) -> None:
    """Serve CRI on the socket until cancelled; the containers go on running.

    Raises:
        OSError: a socket or the state folder cannot be had.
    """
    engine = Engine(
        seam_engine.through(EngineConnection(config.docker_socket, process.clock), process.seam, process.name)
    )
    shim = assemble(config, process, engine, partial(run_plugin, clock=process.clock))
    handlers = [
        handler(_SERVICES["RuntimeService"], "runtime.v1.RuntimeService", runtime_service(shim)),
        handler(_SERVICES["ImageService"], "runtime.v1.ImageService", image_service(shim)),
    ]
    server = grpc_server([f"unix:{config.socket}"], None, handlers, process.seam, name=process.name)
    process.tasks.create_task(shim.events.run(), name="engine-events")
    process.tasks.create_task(shim.events.announce(), name="announcements")
    process.tasks.create_task(_look_after(shim, config.network_check_s), name="sweep")
    try:
        async with shim.streaming.served(f"{config.socket}.streaming"):
            await server.start()
            process.ready()
            process.log.info("serving", socket=config.socket, pod_cidr=shim.network.pod_cidr)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await server.stop(None)
    finally:
        await engine.aclose()


def assemble(config: DockershimConfig, process: Process, engine: Engine, run_plugin: RunPlugin) -> Shim:
    """Construct the parts; nothing is asked of the engine yet.

    Raises:
        OSError: the state folder cannot be read or made.
    """
    state, clock, log = Path(config.state_dir), process.clock, process.log
    notes = Notes(state / "containers")
    catalogue = Catalogue(engine, Scope(config.cluster, config.node))
    commands = Commands(engine, clock, Notes(state / "commands"))
    logs = Logs(engine, catalogue, process.tasks, notes, clock, log)

    async def describe(sandbox_id: str) -> tuple[Any, list[Any]]:
        return await describe_sandbox(shim, sandbox_id)

    shim = Shim(
        engine=engine,
        catalogue=catalogue,
        host=HostFacts(engine, config.docker_socket, log),
        network=Network(
            config.state_dir,
            config.cni_conf_dirs,
            config.cni_conf,
            clock,
            Chain(
                config.cni_bin_dirs,
                seam_plugins.through(run_plugin, process.seam, process.name, PLUGIN_S),
                state / "programs",
            ),
        ),
        logs=logs,
        notes=notes,
        creations=Creations(state),
        commands=commands,
        events=Events(engine, catalogue, logs, describe, clock, log),
        streaming=Streaming(
            CommandSessions(engine, commands, clock, log), clock, log, config.streaming_listen
        ),
        statistics=Statistics(clock),
        layers=WritableLayers(engine, clock),
        image_names={},
        private_images=PrivateImages(engine, Notes(state / "images"), Notes(state / "pulls")),
        pulled_images=PulledImages(engine, Notes(state / "pulled")),
        image_volumes=ImageVolumes(engine, catalogue, state / "image-volumes", log),
        locks=Locks(),
        cdi_dirs=config.cdi_dirs,
        clock=clock,
        log=log,
    )
    return shim


async def _look_after(shim: Shim, check_s: float) -> None:
    """Put in order what was left, then look after the networks of pods for good."""
    await sweep(shim)
    await NetworkChecks(shim.network, shim.catalogue, shim.locks, shim.clock, shim.log, check_s).run()


async def sweep(shim: Shim) -> None:
    """Put in order, once, what was left while nobody was here: commands without a client, private images, addresses."""
    try:
        if left := await shim.commands.sweep():
            shim.log.info("commands_killed", commands=len(left))
        await shim.private_images.sweep()
        await shim.image_volumes.sweep()
        for name in shim.creations.names():
            await appeared(shim.engine, shim.clock, name)
            shim.creations.forget(name)
        here = {item["Id"] for item in await shim.catalogue.summaries(KIND_SANDBOX)}
        if gone := await shim.network.sweep(here):
            shim.log.info("addresses_given_back", sandboxes=len(gone))
    except ApiError as error:
        shim.log.warning("sweep_failed", error=error)
