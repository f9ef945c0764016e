"""What nodes and their pods use, asked from their kubelets when somebody wants to know, and kept for a moment.

A node is asked once in a window, however many want to know: by each apiserver for itself, so that none has to be agreed on.
One that does not answer in time is known as that for as long; nobody waits for it twice. Where nobody asks, nothing happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, Final, TypeAlias

from apiserver.kubelets import Kubelets
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.log import EventLog
from machinery.model.resource_metrics import WINDOW_S

ANSWER_S: Final = 5.0  # wall seconds that a kubelet has: a window of its own, if need be, and the way
_AT_ONCE: Final = 64  # kubelets that are asked beside each other

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]


class NodeUsages:
    """Asks, and keeps the answers."""

    def __init__(self, kubelets: Kubelets, spawn: Spawn, clock: Clock, log: EventLog) -> None:
        self._kubelets = kubelets
        self._spawn = spawn
        self._clock = clock
        self._log = log
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._kept: dict[str, asyncio.Task[Any]] = {}

    async def of(self, nodes: Collection[str]) -> Mapping[str, Any]:
        """Return what each node says (`UsageReply`); those that do not answer are left out."""
        asked = {name: self._task(name) for name in nodes}
        if asked:
            await asyncio.wait(asked.values())
        found = {name: task.result() for name, task in asked.items() if not task.cancelled()}
        return {name: reply for name, reply in found.items() if reply is not None}

    def _task(self, name: str) -> asyncio.Task[Any]:
        task = self._kept.get(name)
        if task is None:
            task = self._kept[name] = self._spawn(self._ask(name))
        return task

    async def _ask(self, name: str) -> Any:
        """Return what a node says; None where it does not."""
        from machinery.wire.node import messages as pb  # seldom needed

        try:
            async with self._turns, self._clock.timeout_wall(ANSWER_S), self._kubelets.node(name) as node:
                return await node.Usage(pb.UsageRequest())
        except (ApiError, TimeoutError) as error:
            self._log.info("node_usage_unknown", node=name, error=error)
            return None
        finally:
            self._clock.call_later(WINDOW_S, self._kept.pop, name, None)
