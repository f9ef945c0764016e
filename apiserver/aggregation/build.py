"""The parts of aggregation, put together."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from apiserver.aggregation.registration import Registration
from apiserver.aggregation.services import ApiServices
from apiserver.aggregation.trust import TrustMap, read_trust
from apiserver.config import ApiserverConfig
from apiserver.core.catalogue import Catalogue
from apiserver.registry import Registry
from apiserver.watch_cache_feed import Feed
from machinery.model.clock import Clock
from machinery.model.k8s import served
from machinery.model.log import EventLog

Loop: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What looks after APIServices."""

    services: ApiServices
    registration: Registration
    trust: TrustMap | None  # of an apiserver that knows which clients it believes itself

    def loops(self) -> dict[str, Loop]:
        """Return what runs as long as the apiserver serves, by its names; the registry has to be open."""
        found: dict[str, Loop] = {"apiservices": self.registration.run}
        if self.trust is not None:
            found["trust"] = self.trust.run
        return found


def build_aggregation(
    config: ApiserverConfig, catalogue: Catalogue, registry: Registry, feed: Feed, clock: Clock, log: EventLog
) -> Aggregation:
    """Construct the parts; nothing runs yet.

    Raises:
        OSError: a certificate cannot be read.
    """
    services = ApiServices(log)
    registration = Registration(services, catalogue, registry, clock, log)
    feed.cache(served.API_SERVICES).follow(services)
    trust = None
    if config.ca_file:
        required = read_trust(
            config.ca_file, config.requestheader_client_ca_file, config.requestheader_allowed_names
        )
        trust = TrustMap(required, registry, feed, clock, log)
    return Aggregation(services, registration, trust)
