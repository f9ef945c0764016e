"""Away with everything of the proxy's: for a node that leaves a cluster and lives on."""

from __future__ import annotations

from machinery.model.log import EventLog
from proxy.addresses import Addresses
from proxy.commands import Commands
from proxy.core.merged import Merged
from proxy.core.table import TABLE
from proxy.routes import Routes


async def clean_up(commands: Commands, log: EventLog) -> None:
    """Remove the rules, routes and addresses that proxies of this node have written; idempotent.

    Raises:
        CommandError: something could not be removed.
    """
    await commands.succeed(["nft", "-f", "-"], f"add table {TABLE}\ndelete table {TABLE}\n")
    await Routes(commands).apply(Merged(), anyway=True)
    await Addresses(commands, log).apply(Merged(), anyway=True)
    log.info("cleaned_up")
