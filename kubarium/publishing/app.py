"""The process that forwards published ports, put together.

It listens before it knows the cluster, so that nobody else takes its ports; who connects until then is turned away.
"""

from __future__ import annotations

import asyncio
from functools import partial

from kubarium.publishing.config import PublishingConfig
from kubarium.publishing.dialing import Dialer
from kubarium.publishing.forwarding import Forwarder
from kubarium.publishing.wayfinder import Wayfinder
from machinery.process.run import Process


async def serve(config: PublishingConfig, process: Process) -> None:
    """Run until cancelled.

    Raises:
        ListenError: a port cannot be listened on.
    """
    dialer = Dialer(process.clock, config.cluster)
    api = process.connect()
    wayfinder = Wayfinder(api, enters_nodes=dialer.enters_nodes, clock=process.clock, log=process.log)
    opened: list[Forwarder] = []
    try:
        async with asyncio.TaskGroup() as tasks:
            for publication in config.publications:
                forwarder = Forwarder(
                    publication,
                    partial(wayfinder.ways, publication),
                    dialer,
                    tasks=tasks,
                    clock=process.clock,
                    log=process.log,
                    most=config.most_connections,
                    udp_idle_s=config.udp_idle_s,
                )
                await forwarder.open()
                opened.append(forwarder)
            process.ready()
            await wayfinder.run()
    finally:
        for each in opened:
            each.close()
        await api.aclose()
