"""Plugins register at the kubelet: a socket appears in a folder, the kubelet asks it who it is, and tells it what came of that.

    folder ──► sockets ──► one course per socket: GetInfo ─► handler.check, handler.registered ─► NotifyRegistrationStatus
                                                  ... until the socket is gone ─► handler.deregistered

A socket that was made anew is one that has gone and another that has come. What fails is tried again, with a pause that grows,
for as long as the socket is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kubelet.containment import contained
from kubelet.core.plugins import Identity, Plugin, diff
from kubelet.plugins.handler import PluginHandler, PluginRefused
from kubelet.plugins.sockets import Sockets
from machinery.client.waiting import event_within
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.log import SILENT, EventLog

if TYPE_CHECKING:
    from machinery.wire.plugin_registration import messages

FOLDER: Final = "plugins_registry"  # in the kubelet's
_RETRY: Final = Backoff(0.5, 120.0)  # wall seconds, as all of these
_ANSWER_S: Final = 10.0
_NOTE_S: Final = 5.0


class PluginRegistry:
    """Finds the plugins of a node, and hands each to the handler of its type."""

    def __init__(
        self, root: Path, handlers: Mapping[str, PluginHandler], clock: Clock, log: EventLog = SILENT
    ) -> None:
        self._folder = root / FOLDER
        self._handlers = handlers
        self._clock = clock
        self._log = log

    async def run(self, *, is_watched: bool = True) -> None:
        """Follow the folder until cancelled.

        Raises:
            OSError: the folder cannot be made.
        """
        courses: dict[str, _Course] = {}
        before: Mapping[str, Identity] = {}
        with Sockets(self._folder, self._clock, self._log, is_watched=is_watched) as sockets:
            async with asyncio.TaskGroup() as group:
                while True:
                    now = sockets.look()
                    news = diff(before, now)
                    for path in news.gone:
                        courses[path].gone.set()
                    for path in news.come:
                        last = courses.get(path)
                        courses[path] = course = _Course(path)
                        course.task = group.create_task(self._follow(course, last), name="plugin")
                    for path in news.gone - news.come:
                        del courses[path]
                    before = now
                    await sockets.wait()

    async def _follow(self, course: _Course, last: _Course | None) -> None:
        """Register a plugin, and deregister it when its socket has gone; after what was there before has ended."""
        if last is not None and last.task is not None:
            await last.task
        with contained(self._log, "plugin_given_up", socket=course.path):
            if (plugin := await self._registered(course)) is None:
                return
            await course.gone.wait()
            self._log.info("plugin_gone", type=plugin.type, name=plugin.name, socket=plugin.socket)
            await self._handlers[plugin.type].deregistered(plugin)

    async def _registered(self, course: _Course) -> Plugin | None:
        """Register a plugin, however often it takes; None where its socket has gone before."""
        failures = 0
        while not course.gone.is_set():
            try:
                plugin = await self._register(course.path)
            except (ApiError, PluginRefused) as error:
                failures += 1
                write = self._log.warning if failures == 1 else self._log.debug
                write("plugin_not_registered", socket=course.path, error=error, failures=failures)
                pause_s = self._clock.timescale.cluster(_RETRY.delay(failures))
                await event_within(course.gone, self._clock, pause_s)
            else:
                self._log.info("plugin_registered", type=plugin.type, name=plugin.name, socket=plugin.socket)
                return plugin
        return None

    async def _register(self, socket: str) -> Plugin:
        """Ask a socket for its plugin, hand that to its handler, and tell it.

        Raises:
            PluginRefused: it is not taken.
            ApiError: it does not answer.
        """
        from machinery.wire.plugin_registration import SERVICE, SERVICE_PATH, messages
        from machinery.wire.rpc_errors import api_errors
        from machinery.wire.stubs import Stub, unix_channel

        channel = unix_channel(socket, self._clock)
        registration = Stub(channel, SERVICE, SERVICE_PATH)
        try:
            with api_errors():
                info = await registration.GetInfo(messages.InfoRequest(), timeout=_ANSWER_S)
            try:
                plugin = await self._hand_over(info, socket)
            except PluginRefused as refusal:
                error = f"RegisterPlugin error -- {refusal}"
                await _note(registration, messages.RegistrationStatus(error=error))
                raise
            await _note(registration, messages.RegistrationStatus(plugin_registered=True))
            return plugin
        finally:
            await channel.close()

    async def _hand_over(self, info: messages.PluginInfo, socket: str) -> Plugin:
        """Hand a plugin to the handler of its type.

        Raises:
            PluginRefused: there is none, or it does not take it.
        """
        versions = tuple(info.supported_versions)
        plugin = Plugin(info.type, info.name, info.endpoint or socket, versions, socket)
        handler = self._handlers.get(plugin.type)
        if handler is None:
            raise PluginRefused(f"no handler registered for plugin type: {info.type} at socket {socket}")
        try:
            handler.check(plugin)
        except PluginRefused as refusal:
            raise PluginRefused(f"plugin validation failed with err: {refusal}") from refusal
        try:
            await handler.registered(plugin)
        except (ApiError, PluginRefused) as error:
            raise PluginRefused(f"plugin registration failed with err: {error}") from error
        return plugin


@dataclass(slots=True)
class _Course:
    """One socket, from its coming to its going."""

    path: str
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


async def _note(registration: Any, status: messages.RegistrationStatus) -> None:
    """Note at a plugin what came of it; one that does not listen is as it is."""
    from machinery.wire.rpc_errors import api_errors

    with suppress(ApiError), api_errors():
        await registration.NotifyRegistrationStatus(status, timeout=_NOTE_S)
