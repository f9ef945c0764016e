"""What has to be written before a pod is bound: for each plugin that reserves something, the one who writes it."""

from __future__ import annotations

from typing import Any, Protocol

from scheduler.core.pod import PodInfo


class NotReady(Exception):  # noqa: N818 - it is what an event says
    """What a plugin reserved for a pod is not there, and a node has to be looked for again."""


class PreBinder(Protocol):
    """Writes what one plugin reserves."""

    async def bind(self, pod: PodInfo, reserved: Any, node: str) -> None:
        """Return when the pod can be bound, as far as the plugin is concerned.

        Raises:
            NotReady: it cannot.
        """
        ...

    async def undo(self, pod: PodInfo, reserved: Any) -> None:
        """Undo what must not stay of a pod whose binding was refused; what fails is logged."""
        ...

    async def act(self, action: Any) -> None:
        """Do what the plugin wants done for a pod that fits nowhere; what fails is logged."""
        ...
