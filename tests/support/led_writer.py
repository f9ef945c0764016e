"""A process that stands for a lease and writes under its leadership: to be stopped and woken by a test.

    python -m tests.support.led_writer <transport> <server> <ca> <certificate> <key>

Once it leads, it writes the ConfigMap `default/led` every few milliseconds, whatever becomes of its leadership, and
prints a line for each outcome that differs from the one before: "written", or the name of the error.
"""

from __future__ import annotations

import asyncio
import sys

from machinery.client.fenced import fenced
from machinery.client.grpc_transport import connect_grpc
from machinery.client.leader import LeaderElector, LeadershipLost
from machinery.client.rest_transport import connect_rest
from machinery.client.tls import ClientTls
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.resources import CONFIG_MAPS
from machinery.process.clock import WALL

LEASE = ("kube-system", "led")
MAP = ("default", "led")


def candidate(api: object, name: str, clock: Clock) -> LeaderElector:
    """Return a candidate with intervals that fit a test."""
    namespace, lease = LEASE
    return LeaderElector(
        api,  # type: ignore[arg-type]
        namespace=namespace,
        name=lease,
        identity=name,
        clock=clock,
        lease_duration_s=8,  # a stalled machine does not lose it before it is stopped
        renew_deadline_s=7,
        retry_period_s=0.5,
    )


async def main(transport: str, server: str, ca: str, certificate: str, key: str) -> None:
    """Stand, lead and write until the test ends the process."""
    tls = ClientTls(ca, certificate, key)
    connect = connect_grpc if transport == "grpc" else connect_rest
    api, clock = connect(server, tls, caller="led", clock=WALL), WALL
    elector = candidate(api, "child", clock)
    leads = asyncio.Event()

    async def lead() -> None:
        leads.set()
        await asyncio.Event().wait()

    async def stand() -> None:
        try:
            await elector.run(lead)
        except LeadershipLost:
            print("lost", flush=True)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stand())
        await leads.wait()
        namespace, name = MAP
        writer, said = fenced(api, elector.fence), ""
        for number in range(100_000):
            try:
                patch = {"data": {"child": str(number)}}
                await writer.patch(CONFIG_MAPS, name, patch, namespace=namespace)
                outcome = "written"
            except ApiError as error:
                outcome = type(error).__name__
            if outcome != said:
                print(outcome, flush=True)
                said = outcome
            await clock.sleep(0.005)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
