"""The addresses that the node answers for: those of load balancers, on the interface of its own address.

Each is there with a label, by which the next proxy of the node knows it. Who has it in his table of neighbours from
another node is told by a gratuitous ARP that it is here now (RFC 5227, 3), when it comes and whenever all is looked at.
"""

from __future__ import annotations

import json
import socket
from ipaddress import IPv4Address
from typing import Final

from machinery.model.log import SILENT, EventLog
from proxy.commands import CommandError, Commands
from proxy.core.merged import Merged

_LABEL: Final = "lb"
_LONGEST: Final = 15  # characters of a label, the interface's name and a colon among them
_ARP: Final = 0x0806
_EVERYBODY: Final = b"\xff" * 6
_TO_IPV4: Final = b"\x00\x01\x08\x00\x06\x04\x00\x01"  # Ethernet, IPv4, lengths, request


class Addresses:
    """Our addresses in the kernel."""

    def __init__(self, commands: Commands, log: EventLog = SILENT) -> None:
        self._commands = commands
        self._log = log
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
        return {
            address: label.rpartition(":")[0]
            for address, label in (await self._labels()).items()
            if label.endswith(f":{_LABEL}")
        }

    async def _compare(self, wanted: dict[str, str]) -> bool:
        present = await self.present()
        stale = present.keys() - wanted.keys()
        for address in sorted(stale):
            await self._commands.succeed(
                ["ip", "-4", "address", "delete", f"{address}/32", "dev", present[address]]
            )
        await self._add({address: own for address, own in wanted.items() if address not in present})
        for address in present.keys() & wanted.keys():
            self._announce(present[address], address)
        return bool(stale or wanted.keys() - present.keys())

    async def _add(self, wanted: dict[str, str]) -> None:
        for own in set(wanted.values()):
            device = await self._device(own)
            for address in sorted(each for each, its in wanted.items() if its == own):
                where = ["dev", device, "label", f"{device}:{_LABEL}"]
                await self._commands.succeed(["ip", "-4", "address", "replace", f"{address}/32", *where])
                self._announce(device, address)

    async def _device(self, own: str) -> str:
        device = (await self._labels()).get(own, "")
        if not device:
            raise CommandError(f"no interface of the node has its address {own}")
        if len(f"{device}:{_LABEL}") > _LONGEST:
            raise CommandError(f"the interface {device} of {own} has too long a name for labelled addresses")
        return device

    async def _labels(self) -> dict[str, str]:
        """Return every address with its label, which is the interface's name where nobody gave it another one."""
        listing = json.loads(await self._commands.succeed(["ip", "-4", "-j", "address", "show"]) or "[]")
        found = (address for link in listing for address in link.get("addr_info", ()) if "local" in address)
        return {address["local"]: address.get("label", "") for address in found}

    def _announce(self, device: str, address: str) -> None:
        try:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as door:
                door.bind((device, _ARP))
                own = door.getsockname()[4]
                here = IPv4Address(address).packed
                arp = _TO_IPV4 + own + here + bytes(6) + here
                door.send(_EVERYBODY + own + _ARP.to_bytes(2, "big") + arp)
        except OSError as error:
            self._log.warning("address_not_announced", address=address, interface=device, error=error)


class NoAddresses:
    """Holds none: load balancers get IPv4 addresses only."""

    async def apply(self, wanted: Merged[str, str], *, anyway: bool = False) -> bool:  # noqa: ARG002 - as `Addresses`
        """Leave everything as it is."""
        return False
