"""Away with everything of the proxy's: for a node that leaves a cluster and lives on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from machinery.model.log import EventLog
from proxy.addresses import Addresses
from proxy.commands import Commands
from proxy.core.families import V4, V6
from proxy.core.merged import Merged
from proxy.core.table import table_of
from proxy.routes import Routes

_HAS_IPV6: Final = Path("/proc/net/if_inet6")  # not there where the kernel has none of it


async def clean_up(commands: Commands, log: EventLog) -> None:
    """Remove the rules, routes and addresses that proxies of this node have written; idempotent.

    Raises:
        CommandError: something could not be removed.
    """
    for family in (V4, V6) if _HAS_IPV6.exists() else (V4,):
        table = table_of(family)
        await commands.succeed(["nft", "-f", "-"], f"add table {table}\ndelete table {table}\n")
        await Routes(commands, family).apply(Merged(), anyway=True)
        await Addresses(commands, log, family).apply(Merged(), anyway=True)
    log.info("cleaned_up")
