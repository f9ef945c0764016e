"""The node's packet filter: our one table, of which only what is different is written.

What the kernel has is believed to be what was written last. Where a transaction fails (another hand has changed the
table, nft was killed half way), the whole table is written; so it is at the start, and on request when anybody else has
changed anything in the packet filter since, which its generation tells.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Final

from machinery.model.log import SILENT, EventLog
from proxy.commands import CommandError, Commands
from proxy.core.merged import Merged
from proxy.core.table import TABLE, Item, Present, write_changes, write_whole

_APPLY: Final = ("nft", "-f", "-")
_FAMILY: Final = TABLE.partition(" ")[0]
_NAMES: Final = (
    f"list chains {_FAMILY}; list sets {_FAMILY}; list maps {_FAMILY}"  # list table would read elements
)

_NETFILTER: Final = 12  # NETLINK_NETFILTER
_GET_GENERATION: Final = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_FAMILY_HEADER: Final = struct.Struct("!BBH")  # nfgenmsg: family, version, resource
_NUMBER: Final = struct.Struct("!I")
_REQUEST: Final = 1  # NLM_F_REQUEST
_NUMBER_AT: Final = _HEADER.size + _FAMILY_HEADER.size + 4  # the first attribute's value is the generation


class Nft:
    """Writes the table."""

    def __init__(self, commands: Commands, log: EventLog = SILENT) -> None:
        self._commands = commands
        self._log = log
        self._is_known = False  # whether the kernel's table is the one that was settled last
        self._generation: int | None = None  # after our last write, None where others wrote beside it

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
            if await self._try(write_changes(differences)):
                return True
        self._is_known = False
        present = await self.present()
        if not await self._try(write_whole(dict(table.items()), present)):
            await self._write(write_whole(dict(table.items()), None))
        self._is_known = True
        return True

    async def present(self) -> Present:
        """Read the names in our table.

        Raises:
            CommandError: nft cannot be run here.
        """
        return _names(await self._commands.succeed(["nft", "-j", "-t", _NAMES]))

    async def _try(self, transaction: str) -> bool:
        try:
            await self._write(transaction)
        except CommandError as error:
            self._log.warning("transaction_failed", table=TABLE, why=error)
            return False
        return True

    async def _write(self, transaction: str) -> None:
        before = read_generation()
        is_ours = before == self._generation or not self._is_known
        await self._commands.succeed(_APPLY, transaction)
        after = read_generation()
        is_alone = before is not None and after == _next(before)
        self._generation = after if is_ours and is_alone else None

    def _is_touched(self) -> bool:
        return self._generation is None or read_generation() != self._generation


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


def _names(listing: str) -> Present:
    family, table = TABLE.split()
    found: dict[str, set[str]] = {"chain": set(), "set": set(), "map": set()}
    for item in (item for line in listing.splitlines() for item in json.loads(line)["nftables"]):
        for kind, names in found.items():
            if kind in item and (item[kind]["family"], item[kind]["table"]) == (family, table):
                names.add(item[kind]["name"])
    return Present(frozenset(found["chain"]), frozenset(found["set"]), frozenset(found["map"]))
