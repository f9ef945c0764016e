"""The node's packet filter: our table, one for each family of addresses, of which only what is different is written.

What the kernel has is believed to be what was written last. Where a transaction fails (another hand has changed the
table, nft was killed half way), the whole table is written; so it is at the start, and on request when anybody else has
changed anything in the packet filter since, which its generation tells.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import Final

from machinery.model.log import SILENT, EventLog
from proxy.commands import CommandError, Commands
from proxy.core.families import V4, Family
from proxy.core.merged import Merged
from proxy.core.table import Item, Present, table_of, write_changes, write_whole

_APPLY: Final = ("nft", "-f", "-")
_LISTED: Final = ("chains", "sets", "maps")  # list table would read elements

_NETFILTER: Final = 12  # NETLINK_NETFILTER
_GET_GENERATION: Final = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_FAMILY_HEADER: Final = struct.Struct("!BBH")  # nfgenmsg: family, version, resource
_NUMBER: Final = struct.Struct("!I")
_REQUEST: Final = 1  # NLM_F_REQUEST
_NUMBER_AT: Final = _HEADER.size + _FAMILY_HEADER.size + 4  # the first attribute's value is the generation


class Turns:
    """Lets the writers of several tables of one network namespace write one after the other, and know each other."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.generations: dict[
            str, int | None
        ] = {}  # by table: after our last write, None where others wrote beside it


class Nft:
    """Writes the table of a family. Several that write in one namespace share their `turns`."""

    def __init__(
        self, commands: Commands, log: EventLog = SILENT, family: Family = V4, turns: Turns | None = None
    ) -> None:
        self._commands = commands
        self._log = log
        self._table = table_of(family)
        self._turns = turns or Turns()
        self._is_known = False  # whether the kernel's table is the one that was settled last

    async def apply(self, table: Merged[Item, str], *, anyway: bool = False) -> bool:
        """Put a table in place; return whether there was anything to write. The caller settles it afterwards.

        With `anyway` all of it is written, unless nobody else has written since the last time. A table that cannot be
        changed is written as a whole; where the old one cannot even be changed into that, it is replaced, and forgets
        its clients.

        Raises:
            CommandError: nft has not taken it; the old rules stand.
        """
        if self._is_known and not (anyway and self._is_touched()):
            differences = table.differences()
            if not differences:
                return False
            if await self._try(write_changes(differences, self._table)):
                return True
        self._is_known = False
        present = await self.present()
        if not await self._try(write_whole(dict(table.items()), present, self._table)):
            await self._write(write_whole(dict(table.items()), None, self._table))
        self._is_known = True
        return True

    async def present(self) -> Present:
        """Read the names in our table.

        Raises:
            CommandError: nft cannot be run here.
        """
        family = self._table.partition(" ")[0]
        wanted = "; ".join(f"list {each} {family}" for each in _LISTED)
        return _names(await self._commands.succeed(["nft", "-j", "-t", wanted]), self._table)

    async def _try(self, transaction: str) -> bool:
        try:
            await self._write(transaction)
        except CommandError as error:
            self._log.warning("transaction_failed", table=self._table, why=error)
            return False
        return True

    async def _write(self, transaction: str) -> None:
        known = self._turns.generations
        async with self._turns.lock:
            before = read_generation()
            is_ours = before == known.get(self._table) or not self._is_known
            await self._commands.succeed(_APPLY, transaction)
            after = read_generation()
            is_alone = before is not None and after == _next(before)
            for table, generation in known.items():
                if is_alone and generation == before:
                    known[table] = after
            known[self._table] = after if is_ours and is_alone else None

    def _is_touched(self) -> bool:
        generation = self._turns.generations.get(self._table)
        return generation is None or read_generation() != generation


def read_generation() -> int | None:
    """Return the number that every change of this namespace's packet filter counts up, None where it cannot be read."""
    length = _HEADER.size + _FAMILY_HEADER.size
    message = _HEADER.pack(length, _GET_GENERATION, _REQUEST, 0, 0) + _FAMILY_HEADER.pack(0, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as door:
            door.settimeout(1)  # the kernel answers before it returns from the request
            door.send(message)
            answer = door.recv(4096)
    except OSError:
        return None
    is_answer = (
        len(answer) >= _NUMBER_AT + _NUMBER.size and _HEADER.unpack_from(answer)[1] != 2
    )  # NLMSG_ERROR
    return _NUMBER.unpack_from(answer, _NUMBER_AT)[0] if is_answer else None


def _next(generation: int) -> int:
    return generation % 0xFFFFFFFF + 1  # the kernel leaves 0 out


def _names(listing: str, own: str) -> Present:
    family, table = own.split()
    found: dict[str, set[str]] = {"chain": set(), "set": set(), "map": set()}
    for item in (item for line in listing.splitlines() for item in json.loads(line)["nftables"]):
        for kind, names in found.items():
            if kind in item and (item[kind]["family"], item[kind]["table"]) == (family, table):
                names.add(item[kind]["name"])
    return Present(frozenset(found["chain"]), frozenset(found["set"]), frozenset(found["map"]))
