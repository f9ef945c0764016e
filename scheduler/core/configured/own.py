"""Plugins that are not Kubarium's: named in a file, found under their names by the shell, made with their arguments.

A plugin is what its entry point names, called with the fields of its `pluginConfig` as keyword arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from scheduler.core.configured.documents import BadConfiguration, Plugins
from scheduler.core.framework import Plugin
from scheduler.core.guarded import Guarded, Limited
from scheduler.core.registry import PLUGINS

Load: TypeAlias = Callable[[], Callable[..., Any]]
"""Import a plugin, and return what makes one with its arguments; may raise anything."""

_HEADER: Final = frozenset({"apiVersion", "kind"})


@dataclass(frozen=True, slots=True)
class Installed:
    """The plugins that are installed, by name, and how what they do is limited."""

    loads: Mapping[str, Load] = field(default_factory=dict)
    limited: Limited = nullcontext

    def names(self, plugins: Plugins) -> list[str]:
        """Return those that a profile enables somewhere, in the order of the file.

        Raises:
            BadConfiguration: one has the name of a plugin of Kubarium's.
        """
        for each in PLUGINS:
            if each.name in self.loads:
                raise BadConfiguration(
                    f"an installed plugin is called {each.name}, as one of Kubarium's is; give its entry point another name"
                )
        return list(dict.fromkeys(each for each in _enabled(plugins) if each in self.loads))

    def make(self, name: str, args: Mapping[str, Any], where: str) -> Plugin:
        """Return a plugin with its arguments.

        Raises:
            BadConfiguration: it cannot be imported or made, or is none.
        """
        try:
            plugin = self.loads[name]()(
                **{each: value for each, value in args.items() if each not in _HEADER}
            )
        except (Exception, SystemExit) as error:
            raise BadConfiguration(
                f"{where}: the plugin {name} cannot be made: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(plugin, Plugin):
            raise BadConfiguration(
                f"{where}: {name} is a {type(plugin).__name__}, and no scheduler.plugin.Plugin"
            )
        if getattr(plugin, "name", "") != name:
            given = getattr(plugin, "name", "")
            raise BadConfiguration(
                f"{where}: the plugin calls itself {given!r}, and its entry point is called {name}"
            )
        return Guarded(plugin, self.limited)


NOTHING: Final = Installed()


def _enabled(plugins: Plugins) -> Iterator[str]:
    points: Iterable[str] = plugins.__struct_fields__
    for point in points:
        for each in getattr(plugins, point).enabled:
            yield each.name
