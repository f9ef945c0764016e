"""The addresses that the node answers for: those of load balancers, on the interface of its own address.

The next proxy of the node knows one of IPv4 by its label. There are no labels by IPv6; there it is an address of a whole
length that is not to be used for what the node begins itself (deprecated, RFC 4862, 5.5.4), which nobody else makes here.
Who has it in his table of neighbours from another node is told that it is here now (`proxy.core.announcing`), when it comes
and whenever all is looked at.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any, Final

from machinery.model.log import SILENT, EventLog
from proxy.commands import CommandError, Commands
from proxy.core.announcing import frame_type, write_frame
from proxy.core.families import V4, Family
from proxy.core.merged import Merged

_LABEL: Final = "lb"
_DEPRECATED: Final = ("valid_lft", "forever", "preferred_lft", "0")
_LONGEST: Final = 15  # characters of a label, the interface's name and a colon among them


@dataclass(frozen=True, slots=True)
class _Known:
    """An address that an interface has."""

    device: str
    is_ours: bool


class Addresses:
    """Our addresses of one family in the kernel."""

    def __init__(self, commands: Commands, log: EventLog = SILENT, family: Family = V4) -> None:
        self._commands = commands
        self._log = log
        self._family = family
        self._ip = ("ip", f"-{family.version}")
        self._length = 32 if family is V4 else 128
        self._is_known = False  # whether the kernel has the addresses that were settled last

    async def apply(self, wanted: Merged[str, str], *, anyway: bool = False) -> bool:
        """Hold these addresses (the node's own ones by them); return whether any came or went. The caller settles it.

        With `anyway` the kernel is looked at. Idempotent.

        Raises:
            CommandError: an address could not be added or removed.
        """
        if self._is_known and not anyway:
            differences = wanted.differences()
            if not differences:
                return False
            if all(each.old is None for each in differences):
                self._is_known = False
                await self._add({each.key: each.new or "" for each in differences})
                self._is_known = True
                return True
        self._is_known = False
        is_changed = bool(len(wanted) or anyway or wanted.differences()) and await self._compare(
            dict(wanted.items())
        )
        self._is_known = True
        return is_changed

    async def present(self) -> dict[str, str]:
        """Read our addresses, with the interfaces that they are on.

        Raises:
            CommandError: ip cannot be run here.
        """
        return {address: each.device for address, each in (await self._known()).items() if each.is_ours}

    async def _compare(self, wanted: dict[str, str]) -> bool:
        present = await self.present()
        stale = present.keys() - wanted.keys()
        for address in sorted(stale):
            await self._commands.succeed(
                [*self._ip, "address", "delete", f"{address}/{self._length}", "dev", present[address]]
            )
        await self._add({address: own for address, own in wanted.items() if address not in present})
        for address in present.keys() & wanted.keys():
            self._announce(present[address], address)
        return bool(stale or wanted.keys() - present.keys())

    async def _add(self, wanted: dict[str, str]) -> None:
        for own in set(wanted.values()):
            device = await self._device(own)
            for address in sorted(each for each, its in wanted.items() if its == own):
                mark = ("label", f"{device}:{_LABEL}") if self._family is V4 else ("nodad", *_DEPRECATED)
                what = (f"{address}/{self._length}", "dev", device, *mark)
                await self._commands.succeed([*self._ip, "address", "replace", *what])
                self._announce(device, address)

    async def _device(self, own: str) -> str:
        known = (await self._known()).get(own)
        if known is None:
            raise CommandError(f"no interface of the node has its address {own}")
        device = known.device
        if self._family is V4 and len(f"{device}:{_LABEL}") > _LONGEST:
            raise CommandError(f"the interface {device} of {own} has too long a name for labelled addresses")
        return device

    async def _known(self) -> dict[str, _Known]:
        """Return every address of the node."""
        listing = json.loads(await self._commands.succeed([*self._ip, "-j", "address", "show"]) or "[]")
        return {
            address["local"]: _Known(link["ifname"], self._is_ours(address))
            for link in listing
            for address in link.get("addr_info", ())
            if "local" in address
        }

    def _is_ours(self, address: dict[str, Any]) -> bool:
        if self._family is V4:
            return bool(address.get("label", "").endswith(f":{_LABEL}"))
        return bool(address.get("deprecated")) and address["prefixlen"] == self._length

    def _announce(self, device: str, address: str) -> None:
        try:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as door:
                door.bind((device, frame_type(address)))
                door.send(write_frame(address, door.getsockname()[4]))
        except OSError as error:
            self._log.warning("address_not_announced", address=address, interface=device, error=error)
