"""From the plan to the running proxy, again and again.

What has changed wakes it. Endpoints that come and go are told to the proxy as it runs; everything else is a new configuration,
which is checked before it is used. What the proxy refuses is taken out, with the object that it comes from, until that object
changes: the others are followed. A failure is logged, shown in /readyz, and tried again with growing pauses, while the
proxy goes on as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from ingress.core.backends import BackendKey
from ingress.core.planning import Plan, View, plan
from ingress.core.rendering import Configuration, Settings, render, server_name
from ingress.core.rules import Owner, Target
from ingress.core.servers import Places, Server, place, servers_of
from ingress.generations import Generations
from ingress.haproxy import ConfigurationError, ProxyError
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.insist import Failures
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.log import EventLog

BACKOFF: Final = Backoff(0.2, 10.0)  # wall seconds
UPDATE_GAP_S: Final = 0.05  # wall seconds between two changes of endpoints
_MOST_REFUSED: Final = 20  # objects that are taken out of one configuration, one by one


class Proxy(Protocol):
    """What is configured: `ingress.haproxy.HAProxy`."""

    async def check(self, folder: Path) -> None:
        """Check a configuration without using it."""
        ...

    async def use(self, version: str) -> None:
        """Begin, or begin anew, with the configuration that was chosen."""
        ...

    async def tell(self, commands: list[str]) -> None:
        """Send commands to the running proxy."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """Where the plan comes from."""

    view: View
    slices: Callable[[str, str], list[EndpointSlice]]  # of a Service, by namespace and name
    controller: str
    default_certificate: bytes


@dataclass(slots=True)
class _Changed:
    """What is to be looked at."""

    rules: bool = True
    services: set[tuple[str, str]] = field(default_factory=set)


class Syncer:
    """The loop. `problem` says why the proxy could not be configured, "" when it could; `is_settled`: it has all that is known."""

    def __init__(
        self,
        source: Source,
        proxy: Proxy,
        generations: Generations,
        settings: Settings,
        *,
        clock: Clock,
        log: EventLog,
        reload_gap_s: float,
        on_plan: Callable[[Plan], None],
        on_success: Callable[[bool], None],
    ) -> None:
        """Make the loop; `on_success` is told of each success, and whether there was a new configuration."""
        self.problem = ""
        self.is_settled = False
        self._source = source
        self._proxy = proxy
        self._generations = generations
        self._settings = settings
        self._clock = clock
        self._log = log
        self._reload_gap_s = reload_gap_s  # wall seconds
        self._on_plan = on_plan
        self._on_success = on_success
        self._dirty = asyncio.Event()
        self._changed = _Changed()
        self._plan: Plan | None = None
        self._running: Configuration | None = None
        self._places: Mapping[str, Places] = {}  # as the running proxy has them
        self._refused: dict[Owner, str] = {}
        self._failures = Failures(clock, BACKOFF, self._tell)

    def _wake(self) -> None:
        self.is_settled = False
        self._dirty.set()

    def on_rules(self) -> None:
        """Note that Ingresses, classes or what they refer to have changed."""
        self._changed.rules = True
        self._wake()

    def on_object(self, kind: str, namespace: str, name: str) -> None:
        """Note that an object has changed: it may be tried again, if the proxy has refused it."""
        for owner in [each for each in self._refused if each[:3] == (kind, namespace, name)]:
            del self._refused[owner]

    def on_secret(self, namespace: str, name: str) -> None:
        """Note that a Secret has changed."""
        self.on_object("Secret", namespace, name)
        if self._plan is None or self._plan.concerns_secret(namespace, name):
            self.on_rules()

    def on_service(self, namespace: str, name: str) -> None:
        """Note that a Service has changed."""
        if self._plan is None or self._plan.concerns_service(namespace, name):
            self.on_rules()

    def on_endpoints(self, namespace: str, name: str) -> None:
        """Note that the endpoints of a Service have changed."""
        self._changed.services.add((namespace, name))
        self._wake()

    async def run(self) -> None:
        """Configure now, and after every change, until cancelled."""
        next_reload_s = 0.0
        while True:
            self._dirty.clear()
            self.is_settled = False
            try:
                reloaded = await self._sync()
            except (ProxyError, OSError) as error:
                self._failures.note(error)
                self.problem = str(error)
                self._running = None  # whatever it has by now
                self._changed.rules = True
                await self._failures.pause()
                continue
            self.problem = ""
            self.is_settled = not self._dirty.is_set()
            self._failures.forget()
            self._on_success(reloaded)
            if reloaded:
                next_reload_s = self._clock.monotonic_wall() + self._reload_gap_s
            await self._clock.sleep_wall(UPDATE_GAP_S)
            await self._dirty.wait()
            if self._changed.rules:  # endpoints do not wait for that
                await self._clock.sleep_wall(max(0.0, next_reload_s - self._clock.monotonic_wall()))

    async def _sync(self) -> bool:
        """Bring the proxy up to date; return whether it got a new configuration."""
        changed, self._changed = self._changed, _Changed(rules=False)
        try:
            if changed.rules or self._plan is None:
                return await self._follow()
            return await self._move(self._plan, changed.services)
        except BaseException:
            self._changed.rules = True  # what was not done is still to be done
            raise

    async def _follow(self) -> bool:
        """Plan afresh, without what the proxy refuses; return whether that is a new configuration."""
        for _ in range(_MOST_REFUSED):
            source = self._source
            found = self._plan = plan(
                source.view, source.controller, source.default_certificate, self._refused
            )
            self._on_plan(found)
            places = self._placed(found.content.backends)
            wanted = render(found.content, places, self._settings)
            if self._running is not None and self._running.version == wanted.version:
                await self._put(places)
                return False
            if await self._use(wanted):
                return True
        raise ProxyError(f"more than {_MOST_REFUSED} objects cannot be configured")

    async def _use(self, wanted: Configuration) -> bool:
        """Begin the proxy anew with a configuration; return False where it refuses an object of it."""
        folder = self._generations.write(wanted.version, wanted.files)
        try:
            await self._proxy.check(folder)
        except ConfigurationError as error:
            self._refuse(wanted.blame(str(error)), error)
            return False
        self._generations.choose(folder)
        await self._proxy.use(wanted.version)
        self._generations.forget_others()
        self._running, self._places = wanted, wanted.places
        self._log.info("configured", version=wanted.version, backends=len(wanted.places))
        return True

    def _refuse(self, owner: Owner | None, error: ConfigurationError) -> None:
        if owner is None or owner in self._refused:
            raise error
        self._refused[owner] = str(error)
        self._log.warning("object_refused", object="/".join(owner[:3]), error=error)

    async def _move(self, found: Plan, services: set[tuple[str, str]]) -> bool:
        """Send the proxy its endpoints; where they need more places, configure it anew and return True."""
        keys = [key for key in found.content.backends if key.target[:2] in services]
        places = self._placed(keys)
        if any(len(each) != len(self._places[name]) for name, each in places.items()):
            return await self._follow()
        await self._put(places)
        return False

    def _placed(self, keys: Iterable[BackendKey]) -> dict[str, Places]:
        """Return where the endpoints are, or are to be, of some backends."""
        servers = {target: self._servers(target) for target in {key.target for key in keys}}
        return {key.name: place(self._places.get(key.name, ()), servers[key.target]) for key in keys}

    def _servers(self, target: Target) -> tuple[Server, ...]:
        namespace, name, _ = target
        service = self._source.view.find_service(namespace, name)
        return servers_of(target, service, self._source.slices(namespace, name))

    async def _put(self, places: Mapping[str, Places]) -> None:
        """Send the running proxy what has changed of its places."""
        commands = [
            command for name, new in places.items() for command in _commands(name, self._places[name], new)
        ]
        if commands:
            await self._proxy.tell(commands)
        self._places = {**self._places, **places}

    def _tell(self, error: Exception, failures: int) -> None:
        if failures == 1 or failures % 20 == 0:
            self._log.error("proxy_not_configured", error=error, failures=failures)


def _commands(backend: str, before: Places, after: Places) -> Iterator[str]:
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        place_name = f"{backend}/{server_name(index)}"
        if old == new:
            continue
        if new is None:
            yield f"set server {place_name} state maint"
            continue
        yield f"set server {place_name} addr {new.ip} port {new.port}"
        if old is None:
            yield f"set server {place_name} state ready"
