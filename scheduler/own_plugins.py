"""Plugins that are not Kubarium's: packages that are installed name them as entry points.

[project.entry-points."kubarium.scheduler_plugins"]
Crowds = "crowds:Crowds"
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Final

from scheduler.core.configured.own import Installed
from scheduler.plugin_time import PluginTime

GROUP: Final = "kubarium.scheduler_plugins"


def installed_plugins(limited: PluginTime | None = None) -> Installed:
    """Return the plugins of the packages that Python finds; none is imported yet."""
    loads = {each.name: each.load for each in _found()}
    return Installed(loads, limited) if limited else Installed(loads)


def _found() -> list[EntryPoint]:
    """Return the entry points of the group; of two with one name, the one that Python finds first."""
    by_name: dict[str, EntryPoint] = {}
    for each in entry_points(group=GROUP):
        by_name.setdefault(each.name, each)
    return list(by_name.values())
