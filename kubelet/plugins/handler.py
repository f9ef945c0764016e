"""What takes the plugins of one type."""

from __future__ import annotations

from typing import Protocol

from kubelet.core.plugins import Plugin


class PluginRefused(Exception):  # noqa: N818 - it is what the plugin is told
    """A plugin is not taken now; the text says why."""


class PluginHandler(Protocol):
    """Takes the plugins of one type.

    For each socket of a plugin the calls come in this order, one after the other: `check`, `registered`, then `deregistered`
    once; after a refusal the first two again, with a growing pause. Those of several sockets come beside each other. When the
    kubelet ends there is no `deregistered`: the next kubelet finds the socket again.
    """

    def check(self, plugin: Plugin) -> None:
        """Look at what a plugin says of itself.

        Raises:
            PluginRefused: its versions or its name do not do.
        """
        ...

    async def registered(self, plugin: Plugin) -> None:
        """Accept a plugin. Its service can be asked from now on, at `plugin.endpoint`.

        Raises:
            PluginRefused: it cannot be taken now. Nothing of it is kept.
            ApiError: the same, because somebody else did not answer.
        """
        ...

    async def deregistered(self, plugin: Plugin) -> None:
        """Forget a plugin that was taken: its socket is gone, or was made anew.

        Raises:
            ApiError: it could not be told to the cluster; it is forgotten here.
        """
        ...
