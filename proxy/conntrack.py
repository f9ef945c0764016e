"""The kernel's table of connections, of which we touch UDP, and what of TCP nobody has answered."""

from __future__ import annotations

from typing import Final

from proxy.commands import CommandError, Commands
from proxy.core.endpoints import Target
from proxy.core.families import V4, Family
from proxy.core.flows import Flow, parse_attempts, parse_flows

_ATTEMPTS: Final = ("-p", "tcp", "--state", "SYN_SENT")


class Conntrack:
    """Lists UDP flows and attempts at TCP connections, and forgets some."""

    def __init__(self, commands: Commands, family: Family = V4) -> None:
        """Make it for one family of addresses."""
        self._commands = commands
        self._family = ("-f", family.name.lower())

    async def flows(self) -> tuple[Flow, ...]:
        """List the UDP flows of this network namespace.

        Raises:
            CommandError: conntrack cannot be run here.
        """
        return parse_flows(await self._commands.succeed(["conntrack", "-L", *self._family, "-p", "udp"]))

    async def forget(self, flow: Flow) -> None:
        """Delete the entries of a flow, from whatever client; none being there is fine.

        Raises:
            CommandError: conntrack cannot be run here.
        """
        asked = ["--orig-dst", flow.destination, "--dport", str(flow.port)]
        answers = ["--reply-src", flow.answered_by.ip, "--reply-port-src", str(flow.answered_by.port)]
        await self._delete("-p", "udp", *asked, *answers)

    async def attempts(self) -> frozenset[Target]:
        """List who has not answered yet to somebody in this network namespace, or through it, who would connect.

        Raises:
            CommandError: conntrack cannot be run here.
        """
        return parse_attempts(await self._commands.succeed(["conntrack", "-L", *self._family, *_ATTEMPTS]))

    async def abandon(self, target: Target) -> None:
        """Delete the attempts at connections with a target, from whatever client; none being there is fine.

        Raises:
            CommandError: conntrack cannot be run here.
        """
        await self._delete(*_ATTEMPTS, "--reply-src", target.ip, "--reply-port-src", str(target.port))

    async def _delete(self, *which: str) -> None:
        output = await self._commands.run(["conntrack", "-D", *self._family, *which])
        if output.code and "0 flow entries" not in output.errors:
            raise CommandError(f"conntrack cannot delete {' '.join(which)}: {output.errors.strip()}")
