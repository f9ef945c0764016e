"""The plugins of a node, and how they make themselves known.

`registry` watches the folder `plugins_registry` and asks each socket in it who it is; `handler` is what takes the plugins of
one type. A handler knows nothing of sockets and folders, and the registry nothing of what plugins are for.
"""

from __future__ import annotations

from kubelet.core.plugins import Plugin
from kubelet.plugins.handler import PluginHandler, PluginRefused
from kubelet.plugins.registry import PluginRegistry

__all__ = ["Plugin", "PluginHandler", "PluginRefused", "PluginRegistry"]
