"""The parts of aggregation, put together."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from apiserver.admission.service_dialer import ServiceDialer
from apiserver.aggregation.backends import Backends
from apiserver.aggregation.metrics import Availabilities
from apiserver.aggregation.openapi import OpenApiOfOthers
from apiserver.aggregation.registration import Registration
from apiserver.aggregation.remote_registry import RemoteRegistry
from apiserver.aggregation.services import ApiServices
from apiserver.aggregation.trust import TrustMap, read_trust
from apiserver.aggregation.upkeep import Upkeep
from apiserver.core.catalogue import Catalogue
from apiserver.registry import Registry
from apiserver.watch_cache_feed import Feed
from machinery.model.clock import Clock
from machinery.model.k8s import served
from machinery.model.log import EventLog
from machinery.process.metrics import Metrics

Loop: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontProxyFiles:
    """Whom extension servers are told to believe, and as whom requests are passed on; "" for what there is not."""

    client_ca_file: str  # of the clients that this server believes itself
    ca_file: str  # of the certificate below
    cert_file: str
    key_file: str
    allowed_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What looks after APIServices."""

    services: ApiServices
    backends: Backends
    openapi: OpenApiOfOthers
    registry: RemoteRegistry
    registration: Registration
    upkeep: Upkeep
    trust: TrustMap | None  # of an apiserver that knows which clients it believes itself

    def loops(self) -> dict[str, Loop]:
        """Return what runs as long as the apiserver serves, by its names; the registry has to be open."""
        found: dict[str, Loop] = {"apiservices": self.registration.run, "availability": self.upkeep.run}
        if self.trust is not None:
            found["trust"] = self.trust.run
        return found


def build_aggregation(
    files: FrontProxyFiles,
    catalogue: Catalogue,
    registry: Registry,
    feed: Feed,
    dialer: ServiceDialer,
    metrics: Metrics,
    clock: Clock,
    log: EventLog,
) -> Aggregation:
    """Construct the parts; nothing runs yet.

    Raises:
        OSError: a certificate cannot be read.
    """
    services = ApiServices(log)
    registration = Registration(services, catalogue, registry, clock, log)
    backends = Backends(dialer, clock, files.cert_file, files.key_file)
    availabilities = Availabilities()
    metrics.add(availabilities)
    upkeep = Upkeep(services, backends, catalogue, registry, feed, availabilities, clock, log)
    feed.cache(served.API_SERVICES).follow(services)
    trust = None
    if files.client_ca_file:
        required = read_trust(files.client_ca_file, files.ca_file, files.allowed_names)
        trust = TrustMap(required, registry, feed, clock, log)
    return Aggregation(
        services,
        backends,
        OpenApiOfOthers(services, backends, clock),
        RemoteRegistry(services, backends),
        registration,
        upkeep,
        trust,
    )
