"""The uses of tokens that live in Secrets: counted, told in the audit log, and written on the Secrets, a day each.

The authenticator says that a token was used (`used`, `refused`), which costs a note; `keep` writes, beside the requests. What
cannot be written is told in the log and dropped: the next use is the next try. It also keeps the ConfigMap that says since
when uses are noted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from apiserver import objects
from apiserver.audit_notes import annotate
from apiserver.bootstrap import Bootstrap
from apiserver.core import legacy_tokens as core
from apiserver.core.values import Json
from apiserver.lookup import Lookup
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotFound
from machinery.model.log import EventLog
from machinery.model.tokens import LAST_USED, TRACKING, TRACKING_NAMESPACE
from machinery.process.metrics import Metrics

_MOST: Final = 1_000  # Secrets that wait for their label; further ones are labelled at a later use
_LOOK_S: Final = 30.0  # wall seconds between two looks at the ConfigMap
_REST_S: Final = 1.0  # wall seconds after a failure
_DAY_S: Final = 24 * 3600  # wall seconds


class LegacyTokenUses:
    """What is known of uses, and what is to be written of them."""

    def __init__(self, metrics: Metrics, clock: Clock, log: EventLog) -> None:
        self._clock = clock
        self._log = log
        self._waiting: dict[tuple[str, str], str] = {}  # uids of Secrets, by namespace and name
        self._has_come = asyncio.Event()
        prefix = "serviceaccount"
        self._all = metrics.counter(f"{prefix}_legacy_tokens_total", "Uses of tokens that live in Secrets")
        self._generated = metrics.counter(
            f"{prefix}_legacy_auto_token_uses_total", "Uses of those that an account names"
        )
        self._manual = metrics.counter(
            f"{prefix}_legacy_manual_token_uses_total", "Uses of those that somebody made"
        )
        self._refused = metrics.counter(
            f"{prefix}_invalid_legacy_auto_token_uses_total", "Uses of those that are marked as invalid"
        )

    def shown(self, user: str) -> None:
        """Note that somebody shows a token that its issuer has signed, valid or not."""
        annotate(core.AUDIT_LEGACY, user)
        self._all.add()

    def refused(self, place: tuple[str, str], uid: str, last_used: str) -> None:
        """Note a use of a token whose Secret, at (namespace, name), is marked."""
        namespace, name = place
        annotate(core.AUDIT_INVALID, f"{name}/{namespace}")
        self._refused.add()
        self._note(place, uid, last_used)

    def used(
        self, place: tuple[str, str], uid: str, last_used: str, *, is_generated: bool
    ) -> tuple[str, ...]:
        """Note a use of a token that is valid; returns what its user is warned of."""
        annotate(core.AUDIT_GENERATED if is_generated else core.AUDIT_MANUAL, place[1])
        (self._generated if is_generated else self._manual).add()
        self._note(place, uid, last_used)
        return (core.WARNING,) if is_generated else ()

    async def keep(self, lookup: Lookup, bootstrap: Bootstrap) -> None:
        """Write what is noted, and uphold the ConfigMap, until cancelled."""
        next_look_s = 0.0
        while True:
            now_s = self._clock.monotonic_wall()
            if now_s >= next_look_s:
                next_look_s = now_s + _LOOK_S
                await self._tried(partial(self._uphold, lookup, bootstrap), TRACKING_NAMESPACE, TRACKING)
            await self._write_waiting(lookup, bootstrap)
            with suppress(TimeoutError):
                async with self._clock.timeout_wall(max(next_look_s - self._clock.monotonic_wall(), 0.0)):
                    await self._has_come.wait()

    async def _write_waiting(self, lookup: Lookup, bootstrap: Bootstrap) -> None:
        self._has_come.clear()
        for place, uid in [*self._waiting.items()]:
            await self._tried(partial(self._label, place, uid, lookup, bootstrap), *place)
            self._waiting.pop(place, None)

    async def _tried(self, write: Callable[[], Awaitable[None]], namespace: str, name: str) -> None:
        try:
            await write()
        except ApiError as error:
            self._log.warning("legacy_token_not_noted", namespace=namespace, name=name, error=str(error))
            await self._clock.sleep_wall(_REST_S)

    async def _label(self, place: tuple[str, str], uid: str, lookup: Lookup, bootstrap: Bootstrap) -> None:
        secret = await _found(lookup, "secrets", place)
        if secret is None or secret["metadata"]["uid"] != uid or self._is_noted(_last_used_of(secret)):
            return
        await bootstrap.update(core.labelled(secret, self._day()))

    async def _uphold(self, lookup: Lookup, bootstrap: Bootstrap) -> None:
        found = await _found(lookup, "configmaps", (TRACKING_NAMESPACE, TRACKING))
        wanted = core.tracking(found, self._day())
        if wanted is not None:
            await (bootstrap.create if found is None else bootstrap.update)(wanted)

    def _note(self, place: tuple[str, str], uid: str, last_used: str) -> None:
        if len(self._waiting) < _MOST and not self._is_noted(last_used):
            self._waiting[place] = uid
            self._has_come.set()

    def _is_noted(self, last_used: str) -> bool:
        return core.is_noted(last_used, self._day(), self._day(_DAY_S))

    def _day(self, later_wall_s: float = 0.0) -> str:
        """Return the date of today, or of a moment after now."""
        scale = self._clock.timescale
        return scale.format(self._clock.now() + scale.cluster(later_wall_s))[:10]


async def _found(lookup: Lookup, resource: str, place: tuple[str, str]) -> Json | None:
    try:
        return objects.decode((await lookup.current(resource, *place)).json)
    except NotFound:
        return None


def _last_used_of(secret: Json) -> str:
    return str((secret["metadata"].get("labels") or {}).get(LAST_USED, ""))
