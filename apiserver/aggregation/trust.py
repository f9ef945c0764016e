"""Keeps the ConfigMap by which extension servers know whom to believe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

from apiserver import objects
from apiserver.core.aggregation.trust import NAME, NAMESPACE, Trust, joined
from apiserver.lookup import own_request
from apiserver.objects import CachedObject
from apiserver.registry import Registry
from apiserver.request import WriteOptions
from apiserver.watch_cache_feed import Feed
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import AlreadyExists, Conflict, NotFound
from machinery.model.insist import insist, tell_first
from machinery.model.k8s import served
from machinery.model.log import EventLog

_PLACE: Final = f"{NAMESPACE}/{NAME}"
_RETRY: Final = Backoff(0.5, 30.0)  # wall seconds
_AS: Final = WriteOptions(field_manager="kube-apiserver")
_SLACK_S: Final = 300.0  # for which a certificate counts after it has expired


def read_trust(ca_file: str, front_proxy_ca_file: str, allowed_names: tuple[str, ...]) -> Trust:
    """Read what an apiserver requires.

    Raises:
        OSError: a file cannot be read.
    """
    authority = Path(front_proxy_ca_file).read_text("ascii", "replace") if front_proxy_ca_file else ""
    return Trust(Path(ca_file).read_text("ascii", "replace"), authority, allowed_names)


class TrustMap:
    """Follows the cache of ConfigMaps, and writes one of them."""

    def __init__(self, trust: Trust, registry: Registry, feed: Feed, clock: Clock, log: EventLog) -> None:
        self._trust = trust
        self._registry = registry
        self._clock = clock
        self._log = log
        self._cache = feed.cache(served.CONFIG_MAPS)
        self._changed = asyncio.Event()
        self._changed.set()
        self._cache.follow(_Follower(self._changed))

    async def run(self) -> None:
        """Keep it for ever. The registry has to be open."""
        told = tell_first(self._log.warning, "authentication_configmap_not_kept", every=20)
        while True:
            await self._changed.wait()
            self._changed.clear()
            await insist(self._keep, self._clock, _RETRY, told)

    async def _keep(self) -> None:
        found = self._cache.get(_PLACE)
        existing = objects.decode(found.json) if found is not None else None
        before = (existing or {}).get("data") or {}
        data = joined(before, self._trust, _is_valid_at(self._clock))
        if existing is not None and data == before:
            return
        with suppress(
            AlreadyExists, Conflict, NotFound
        ):  # another apiserver was faster: that comes as a change
            if existing is None:
                meta = {"name": NAME, "namespace": NAMESPACE}
                body = objects.to_json({"metadata": meta, "data": data})
                await self._registry.create(
                    own_request("create", served.CONFIG_MAPS, namespace=NAMESPACE, writing=_AS, body=body)
                )
            else:
                body = objects.to_json({**existing, "data": data})
                await self._registry.update(
                    own_request(
                        "update", served.CONFIG_MAPS, namespace=NAMESPACE, name=NAME, writing=_AS, body=body
                    )
                )


class _Follower:
    """Notes that the ConfigMap has changed (`apiserver.watch_cache.Follower`)."""

    def __init__(self, changed: asyncio.Event) -> None:
        self._changed = changed

    def replaced(self, _every: object) -> None:
        """Begin again."""
        self._changed.set()

    def changed(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write."""
        if (new or old).place == _PLACE:  # type: ignore[union-attr]  # one of both is there
            self._changed.set()


def _is_valid_at(clock: Clock) -> Callable[[str], bool]:
    """Return what says of a certificate, PEM, whether it is one that has not expired."""
    latest_s = clock.timescale.wall(clock.now()) - _SLACK_S
    return lambda block: _expiry_s(block) > latest_s


@lru_cache(maxsize=16)
def _expiry_s(block: str) -> float:
    """Return when a certificate expires, in wall seconds since the epoch; before all time where it is none."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(block.encode()).not_valid_after_utc.timestamp()
    except ValueError:
        return float("-inf")
