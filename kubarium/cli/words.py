"""Words that several commands say in the same way."""

from __future__ import annotations

from collections.abc import Sized

from kubarium import homes


def say(text: str) -> None:
    """Print a step of what is going on, at once."""
    print(f"  {text}", flush=True)


def count_of(things: Sized, name: str) -> str:
    """Return how many there are, as people say it."""
    return f"{len(things)} {name}" if len(things) == 1 else f"{len(things)} {name}s"


def name_option(cluster: str) -> str:
    """Return what a command needs to be about a cluster: nothing where it is the current one."""
    return "" if cluster == homes.current_name() else f" --name {cluster}"
