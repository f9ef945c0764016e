"""The kernel's table of connections, of which we touch UDP only."""

from __future__ import annotations

from proxy.commands import CommandError, Commands
from proxy.core.flows import Flow, parse_flows


class Conntrack:
    """Lists UDP flows and forgets some."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def flows(self) -> tuple[Flow, ...]:
        """List the UDP flows of this network namespace.

        Raises:
            CommandError: conntrack cannot be run here.
        """
        return parse_flows(await self._commands.succeed(["conntrack", "-L", "-p", "udp"]))

    async def forget(self, flow: Flow) -> None:
        """Delete the entries of a flow, from whatever client; none being there is fine.

        Raises:
            CommandError: conntrack cannot be run here.
        """
        where = ["--orig-dst", flow.destination, "--dport", str(flow.port), "--reply-src", flow.answered_by]
        output = await self._commands.run(["conntrack", "-D", "-p", "udp", *where])
        if output.code and "0 flow entries" not in output.errors:
            raise CommandError(f"conntrack cannot delete {flow}: {output.errors.strip()}")
