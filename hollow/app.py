"""The hollow runtime, put together."""

from __future__ import annotations

import asyncio

from hollow.config import HollowConfig
from hollow.image_service import ImageService
from hollow.runtime_service import RuntimeService
from hollow.simulation import Simulation
from machinery.pb import cri_pb2 as cri
from machinery.process.run import Process
from machinery.process.server import grpc_server
from machinery.wire.services import handler

_SERVICES = cri.DESCRIPTOR.services_by_name


async def serve(config: HollowConfig, process: Process) -> None:
    """Serve CRI on the socket until cancelled; the containers go on living in the state folder."""
    simulation = Simulation(process.clock, process.tasks, config.state_dir)
    if boot_id := config.boot_id:
        simulation.boot(boot_id)
    handlers = [
        handler(_SERVICES["RuntimeService"], "runtime.v1.RuntimeService", RuntimeService(simulation)),
        handler(
            _SERVICES["ImageService"], "runtime.v1.ImageService", ImageService(simulation, config.pull_time_s)
        ),
    ]
    server = grpc_server([f"unix:{config.socket}"], None, handlers, process.seam, name=process.name)
    await server.start()
    process.ready()
    process.log.info("serving", socket=config.socket, containers=len(simulation.containers))
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await server.stop(None)
