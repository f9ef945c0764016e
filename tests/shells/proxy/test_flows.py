"""Flows of IPv6 in a real kernel's table of connections: listed and forgotten as those of IPv4 are."""

from __future__ import annotations

import asyncio
import socket
import subprocess

from machinery.process.clock import SystemClock
from proxy.commands import Commands
from proxy.conntrack import Conntrack
from proxy.core.endpoints import Target
from proxy.core.families import V4, V6
from proxy.core.flows import Flow
from tests.support.netns import Lab, inside

SERVICE, PORT, POD_PORT = "fd00::9", 53, 5353
RULES = f"""
table ip6 flows {{
  chain output {{
    type nat hook output priority -100;
    ip6 daddr {SERVICE} udp dport {PORT} dnat to [::1]:{POD_PORT}
  }}
}}
"""


def test_a_flow_of_ipv6_is_forgotten(lab: Lab) -> None:
    """By its Service's address and who answers; one family's list has none of the other one; nothing there is fine."""

    async def scenario() -> None:
        six, four = (Conntrack(Commands(SystemClock(), 20), family) for family in (V6, V4))
        flow = Flow(SERVICE, PORT, Target("::1", POD_PORT))
        assert flow in await six.flows()
        assert flow not in await four.flows()
        await six.forget(flow)
        assert flow not in await six.flows()
        await six.forget(flow)
        assert await six.attempts() == frozenset()
        await six.abandon(Target("fd00::7", 80))

    def run() -> None:
        subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
        subprocess.run(["ip", "-6", "route", "add", f"{SERVICE}/128", "dev", "lo"], check=True)
        try:
            _ask_once()
            asyncio.run(scenario())
        finally:
            subprocess.run(["ip", "-6", "route", "delete", f"{SERVICE}/128", "dev", "lo"], check=True)
            subprocess.run(["nft", "delete", "table", "ip6", "flows"], check=True)

    inside(lab.space("node-1"), run)


def _ask_once() -> None:
    kinds = socket.AF_INET6, socket.SOCK_DGRAM
    with socket.socket(*kinds) as server, socket.socket(*kinds) as client:
        server.settimeout(5)
        server.bind(("::1", POD_PORT))
        client.sendto(b"?", (SERVICE, PORT))
        _, asker = server.recvfrom(16)
        server.sendto(b"!", asker)
