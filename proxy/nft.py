"""The node's packet filter: our one table is read by its names and replaced in transactions."""

from __future__ import annotations

import json

from machinery.model.log import SILENT, EventLog
from proxy.commands import CommandError, Commands
from proxy.core.ruleset import TABLE, Present, Ruleset


class Nft:
    """Writes rulesets. Remembers what it wrote last, so that the same text is not written twice."""

    def __init__(self, commands: Commands, log: EventLog = SILENT) -> None:
        self._commands = commands
        self._log = log
        self._written = ""
        self._present: Present | None = None

    async def apply(self, rules: Ruleset, *, anyway: bool = False) -> bool:
        """Put a ruleset in place; return whether there was anything to write.

        With `anyway` it is written even if it is the last one that was: the kernel's table is looked at first,
        for another hand may have changed it. Where the old table cannot be changed into the new one, it is replaced
        as a whole.

        Raises:
            CommandError: nft has not taken it; the old rules stand.
        """
        text = rules.text()
        if text == self._written and not anyway:
            return False
        present = await self.present() if anyway or not self._written else self._present
        try:
            await self._commands.succeed(["nft", "-f", "-"], rules.transaction(present))
        except CommandError as error:
            await self._replace(rules)
            self._log.warning("table_replaced", table=TABLE, why=error)
        self._written, self._present = text, rules.names
        return True

    async def present(self) -> Present:
        """Read the names in our table.

        Raises:
            CommandError: nft cannot be run here.
        """
        output = await self._commands.run(["nft", "-j", "-t", "list", "table", *TABLE.split()])
        if output.code == 0:
            return _names(output.text)
        if "No such file or directory" in output.errors:  # nft has no other way to say it
            return Present()
        raise CommandError(f"nft cannot list table {TABLE}: {output.errors.strip()}")

    async def _replace(self, rules: Ruleset) -> None:
        """Write a ruleset without anything of the old table, which may not be what we believe."""
        self._written = ""
        await self._commands.succeed(["nft", "-f", "-"], rules.transaction(None))


def _names(listing: str) -> Present:
    found: dict[str, set[str]] = {"chain": set(), "set": set(), "map": set()}
    for item in json.loads(listing)["nftables"]:
        for kind, names in found.items():
            if kind in item:
                names.add(item[kind]["name"])
    return Present(frozenset(found["chain"]), frozenset(found["set"]), frozenset(found["map"]))
