"""Looks at the servers behind APIServices: whether they can be asked, and what they serve.

Every apiserver does it for itself: of each APIService with a Service there is one loop here, which looks when the APIService,
the Service or its endpoints change, else every half minute, and sooner after a failure. What it finds goes into the condition
Available, which decides whether requests are passed on, and into discovery. Where no APIService leads elsewhere, nothing
runs, and nothing is followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from apiserver import objects
from apiserver.aggregation.backends import Backends
from apiserver.aggregation.metrics import Availabilities
from apiserver.aggregation.services import ApiServices
from apiserver.core.aggregation.availability import (
    LOCAL,
    PASSED,
    Verdict,
    changed_conditions,
    failed_check,
    location,
    obstacle,
)
from apiserver.core.aggregation.documents import CURRENT, STALE, Listed, read_resources
from apiserver.core.aggregation.heads import Head, Service
from apiserver.core.catalogue import Catalogue
from apiserver.core.values import Json
from apiserver.lookup import own_request
from apiserver.objects import CachedObject
from apiserver.registry import Registry
from apiserver.watch_cache_feed import Feed
from apiserver.watch_cache_selection import select
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Conflict, NotFound, Unavailable
from machinery.model.insist import insist, tell_first
from machinery.model.k8s import served
from machinery.model.log import EventLog
from machinery.model.requests import PatchType

_LOOK_S: Final = 30.0  # wall seconds between two looks at a server that answers
_CHECK_S: Final = 5.0  # wall seconds that a server may take
_ATTEMPTS: Final = 5  # of which one has to succeed
_AGAIN: Final = Backoff(0.25, 30.0)  # wall seconds after a look that failed
_CONTESTED_S: Final = (
    2.0  # wall seconds after which one looks again whose condition somebody else has written
)
_RETRY: Final = Backoff(0.1, 5.0)  # wall seconds after a write that failed
_SERVICE_LABEL: Final = "kubernetes.io/service-name"


class _Watched:
    """An APIService whose server is looked at."""

    __slots__ = ("due", "looked_at", "verdict")

    def __init__(self) -> None:
        self.due = asyncio.Event()  # set when there is reason to look again
        self.looked_at: object = None  # the form of the APIService then
        self.verdict: Verdict | None = None

    def is_another(self, head: Head | None) -> bool:
        """Whether what was looked at is not what the APIService says now."""
        return head is None or head.form != self.looked_at

    def is_contested(self, head: Head | None) -> bool:
        """Whether the APIService says something else of how its server does than was found."""
        if head is None or self.verdict is None:
            return False
        return changed_conditions(head, self.verdict, "") is not None


class Upkeep:
    """Runs a loop for each APIService that leads elsewhere."""

    def __init__(
        self,
        services: ApiServices,
        backends: Backends,
        catalogue: Catalogue,
        registry: Registry,
        feed: Feed,
        metrics: Availabilities,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._services = services
        self._backends = backends
        self._catalogue = catalogue
        self._registry = registry
        self._feed = feed
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._changed: dict[str, None] = {}
        self._has_changed = asyncio.Event()
        self._watched: dict[str, _Watched] = {}
        self._behind: dict[str, set[str]] = {}  # APIServices by "namespace/name" of their Services
        self._follows = False
        services.subscribe(self._note)

    async def run(self) -> None:
        """Look after APIServices for ever. The registry has to be open."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._has_changed.wait()
                self._has_changed.clear()
                names, self._changed = self._changed, {}
                for name in names:
                    self._follow_one(name, tasks)

    def look_now(self, name: str) -> None:
        """Look at the server of an APIService without waiting for a reason."""
        if watched := self._watched.get(name):
            watched.due.set()

    def _note(self, name: str) -> None:
        self._changed[name] = None
        self._has_changed.set()

    def _follow_one(self, name: str, tasks: asyncio.TaskGroup) -> None:
        head = self._services.find(name)
        if watched := self._watched.get(name):
            if watched.is_another(head):
                watched.due.set()
            elif watched.is_contested(head):  # by another apiserver, as a rule, which may not agree
                self._clock.call_later(self._clock.timescale.cluster(_CONTESTED_S), watched.due.set)
        elif head is not None and head.leads_elsewhere:
            self._follow_services()
            self._watched[name] = _Watched()
            tasks.create_task(self._watch_over(name), name=f"apiservice-{name}")
        elif head is not None and changed_conditions(head, LOCAL, "") is not None:
            tasks.create_task(self._say_local(name), name=f"apiservice-local-{name}")

    async def _say_local(self, name: str) -> None:
        told = tell_first(self._log.warning, "apiservice_not_kept", every=20, apiservice=name)

        async def say() -> None:
            head = self._services.find(name)
            if head is not None and not head.leads_elsewhere:
                await self._write(head, LOCAL)

        await insist(say, self._clock, _RETRY, told)

    async def _watch_over(self, name: str) -> None:
        """Look at the server of an APIService until it leads nowhere else any more."""
        watched = self._watched[name]
        failures = 0
        try:
            while (head := self._services.find(name)) is not None and head.leads_elsewhere:
                assert head.spec.service is not None  # noqa: S101 - it leads there
                watched.due.clear()
                if watched.looked_at != head.form:
                    self._forget(name)
                    self._behind.setdefault(_place(head.spec.service), set()).add(name)
                    watched.looked_at = head.form
                watched.verdict = await self._look(head)
                is_told = await self._tell(head, watched.verdict)
                failures = 0 if watched.verdict.is_available and is_told else failures + 1
                await self._pause(watched.due, _AGAIN.delay(failures) or _LOOK_S)
        finally:
            self._forget(name)
            del self._watched[name]
            self._metrics.forget(name)
            self._unlist(name)
            self._note(name)  # it may have come back meanwhile, or be local now

    async def _tell(self, head: Head, verdict: Verdict) -> bool:
        """Write what was found; return whether that worked, which it need not where the APIService has changed."""
        try:
            await self._write(head, verdict)
        except (Conflict, NotFound):
            return False
        except ApiError as error:
            self._log.warning("apiservice_not_kept", apiservice=head.name, error=error)
            return False
        return True

    async def _pause(self, due: asyncio.Event, wall_s: float) -> None:
        with suppress(TimeoutError):
            async with self._clock.timeout_wall(wall_s):
                await due.wait()

    def _forget(self, name: str) -> None:
        for place, names in list(self._behind.items()):
            names.discard(name)
            if not names:
                del self._behind[place]

    async def _look(self, head: Head) -> Verdict:
        """Return how the server does, and list what it serves."""
        assert head.spec.service is not None  # noqa: S101 - asked by the caller
        service = self._service(head.spec.service)
        verdict = obstacle(head.spec.service, service, self._slices(head.spec.service))
        if verdict is None:
            url = location(head.spec.service, service, head.path)
            verdict = await self._ask(head, url)
        if not verdict.is_available:
            self._list(head, None)
        self._metrics.found(head.name, verdict)
        return verdict

    async def _ask(self, head: Head, url: str) -> Verdict:
        """Ask the server several times at once where it does not answer well at first; one good answer is enough."""
        first = await self._ask_once(head, url)
        if first.is_available:
            return first
        rest = [self._ask_once(head, url) for _ in range(_ATTEMPTS - 1)]
        verdicts = await asyncio.gather(*rest)
        return next((each for each in verdicts if each.is_available), verdicts[-1])

    async def _ask_once(self, head: Head, url: str) -> Verdict:
        try:
            # As in Kubernetes, whoever answers is believed here: this decides about nothing but the condition.
            found = await self._backends.fetch(head, head.path, _CHECK_S, verifies=False)
        except Unavailable as error:
            return failed_check(f'failing or missing response from {url}: Get "{url}": {error}')
        if not 200 <= found.status < 300:
            text = f"bad status from {url}: {found.status}"
            return failed_check(f"failing or missing response from {url}: {text}")
        try:
            self._list(head, read_resources(found.body, head.group_version))
        except ValueError as error:
            self._log.warning("apiservice_discovery_unreadable", apiservice=head.name, error=str(error)[:512])
            self._list(head, None)
        return PASSED

    def _list(self, head: Head, resources: list[Json] | None) -> None:
        """List what a server serves; None: what it served when it said so last."""
        before = self._catalogue.elsewhere.get(head.group_version)
        known = before.resources if before is not None else []
        listed = Listed(
            head.priority, known if resources is None else resources, STALE if resources is None else CURRENT
        )
        if listed != before:
            self._catalogue.list_elsewhere(head.group_version, listed)

    def _unlist(self, name: str) -> None:
        version, _, group = name.partition(".")
        self._catalogue.list_elsewhere((group, version), None)

    async def _write(self, head: Head, verdict: Verdict) -> None:
        """Write the condition, where it says something new.

        Raises:
            Conflict: the APIService has changed since it was looked at.
            ApiError: the registry refuses for another reason, or the store does not answer.
        """
        now = self._clock.timescale.format(self._clock.now())
        conditions = changed_conditions(head, verdict, now)
        if conditions is None:
            return
        body: Json = {
            "metadata": {"resourceVersion": head.metadata.resourceVersion, "uid": head.metadata.uid},
            "status": {"conditions": conditions},
        }
        await self._registry.patch(
            own_request(
                "patch",
                served.API_SERVICES,
                name=head.name,
                subresource="status",
                patch_type=PatchType.MERGE,
                body=objects.to_json(body),
            )
        )
        self._log.info(
            "apiservice_availability",
            apiservice=head.name,
            available=verdict.is_available,
            why=verdict.reason,
        )

    def _service(self, wanted: Service) -> Json | None:
        found = self._feed.cache(served.SERVICES).get(_place(wanted))
        return objects.decode(found.json) if found is not None else None

    def _slices(self, wanted: Service) -> list[Json]:
        kind = self._catalogue.stored(served.ENDPOINT_SLICES.group, served.ENDPOINT_SLICES.plural)
        if kind is None:
            return []
        selected = select(kind, wanted.namespace, f"{_SERVICE_LABEL}={wanted.name}", "")
        return [objects.decode(each.json) for each in self._feed.cache(kind).list(selected)]

    def _follow_services(self) -> None:
        """Look at servers when their Services or endpoints change, from the first APIService on that leads to one."""
        if not self._follows:
            self._follows = True
            self._feed.cache(served.SERVICES).follow(_Follower(self._service_changed))
            self._feed.cache(served.ENDPOINT_SLICES).follow(_Follower(self._slice_changed))

    def _service_changed(self, obj: CachedObject) -> None:
        for name in self._behind.get(obj.place, ()):
            self._watched[name].due.set()

    def _slice_changed(self, obj: CachedObject) -> None:
        if self._behind and (service := obj.labels.get(_SERVICE_LABEL)):
            for name in self._behind.get(f"{obj.place.partition('/')[0]}/{service}", ()):
                self._watched[name].due.set()


class _Follower:
    """Passes on each object that changes (`apiserver.watch_cache.Follower`)."""

    def __init__(self, changed: Callable[[CachedObject], None]) -> None:
        self._changed = changed

    def replaced(self, every: Iterable[CachedObject]) -> None:
        """Begin again."""
        for obj in every:
            self._changed(obj)

    def changed(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write."""
        for obj in (old, new):
            if obj is not None:
                self._changed(obj)


def _place(service: Service) -> str:
    return f"{service.namespace}/{service.name}"
