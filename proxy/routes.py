"""The node's routes to other nodes' pods, and the kernel's switches that packets depend on."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from proxy.commands import CommandError, Commands
from proxy.core.families import V4, V6, Family
from proxy.core.merged import Merged
from proxy.core.routes import PROTOCOL, Route, change_routes, diff_routes

_SWITCHES: Final = Path("/proc/sys/net")
_FORWARDING: Final = {V4: "ipv4/ip_forward", V6: "ipv6/conf/all/forwarding"}
_BRIDGE_FILTER: Final = {V4: "bridge/bridge-nf-call-iptables", V6: "bridge/bridge-nf-call-ip6tables"}


class Routes:
    """Routes of one family of addresses with our protocol number in the main table."""

    def __init__(self, commands: Commands, family: Family = V4) -> None:
        self._commands = commands
        self._ip = ("ip", f"-{family.version}")
        self._is_known = (
            False  # whether the kernel has the routes that were settled last, except for the refused
        )
        self.refused: tuple[Route, ...] = ()

    async def apply(self, wanted: Merged[str, str], *, anyway: bool = False) -> bool:
        """Make our routes the wanted ones (gateways by networks); return whether any was changed. Idempotent.

        Only what is different is written, unless something fails; with `anyway` the kernel's routes are looked at
        first. The caller settles it afterwards. A route that the kernel refuses while it takes others is that node's
        trouble: it is in `refused` afterwards.

        Raises:
            CommandError: nothing could be set or removed.
        """
        if self._is_known and not anyway:
            differences = wanted.differences()
            if not differences:
                return False
            with suppress(CommandError):
                await self._batch(change_routes(differences))
                changed = {each.key for each in differences}
                self.refused = tuple(route for route in self.refused if route.destination not in changed)
                return True
        self._is_known = False
        is_changed = await self._compare(tuple(Route(*item) for item in sorted(wanted.items())))
        self._is_known = True
        return is_changed

    async def _compare(self, wanted: tuple[Route, ...]) -> bool:
        commands = diff_routes(wanted, await self.present())
        self.refused = ()
        if commands:
            try:
                await self._batch(commands)
            except CommandError:
                present = await self.present()
                self.refused = tuple(route for route in wanted if route not in present)
                if not self.refused or len(self.refused) == len(wanted):
                    raise
        return bool(commands)

    async def present(self) -> tuple[Route, ...]:
        """Read the routes that carry our protocol number.

        Raises:
            CommandError: ip cannot be run here.
        """
        argv = [*self._ip, "-j", "route", "show", "proto", str(PROTOCOL)]
        listed = json.loads(await self._commands.succeed(argv) or "[]")
        return tuple(
            Route(str(ipaddress.ip_network(item["dst"])), item.get("gateway", "")) for item in listed
        )

    async def _batch(self, commands: Iterable[str]) -> None:
        text = "".join(f"{command}\n" for command in commands)
        await self._commands.succeed([*self._ip, "-force", "-batch", "-"], text)


def enable_forwarding(family: Family = V4) -> None:
    """Switch the forwarding of packets on.

    Raises:
        CommandError: it does not, and may not be told to.
    """
    switch = _SWITCHES / _FORWARDING[family]
    if not _switch_on(switch):
        name = f"net.{_FORWARDING[family].replace('/', '.')}"
        raise CommandError(f"{switch} is 0 and cannot be written: set {name}=1 for the node")


def sees_bridged(family: Family = V4) -> bool:
    """Whether the packet filter sees what a bridge carries between two pods, after an attempt to make it so."""
    return _switch_on(_SWITCHES / _BRIDGE_FILTER[family])


def _switch_on(switch: Path) -> bool:
    try:
        if switch.read_text().strip() != "1":
            switch.write_text("1")
    except OSError:
        return False
    return True
