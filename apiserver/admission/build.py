"""The part of admission that follows objects, put together."""

from __future__ import annotations

from collections.abc import Collection

from apiserver.admission.dynamic import DynamicAdmission
from apiserver.admission.evaluation import Authorize
from apiserver.admission.forms import Forms
from apiserver.admission.service_dialer import ServiceDialer, Tunnels
from apiserver.admission.web_client import WebClient
from apiserver.admission.webhooks import MUTATING, VALIDATING, Webhooks
from apiserver.core.catalogue import Catalogue
from apiserver.core.schema import Schemas
from apiserver.watch_cache_feed import Feed
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from machinery.process.metrics import Metrics


def build_dynamic(
    catalogue: Catalogue,
    feed: Feed,
    schemas: Schemas,
    client: WebClient,
    authorize: Authorize,
    on: Collection[str],
    *,
    tunnels: Tunnels | None,
    clock: Clock,
    log: EventLog,
    metrics: Metrics,
) -> DynamicAdmission:
    """Return webhooks and policies as the watch caches have them; `on` names the plugins that are on."""
    forms, dialer = Forms(catalogue, feed, schemas), ServiceDialer(catalogue, feed, tunnels)
    mutating, validating = (
        Webhooks(plural, catalogue, feed, forms, client, dialer, clock, log, metrics)
        for plural in (MUTATING, VALIDATING)
    )
    return DynamicAdmission(forms, mutating, validating, authorize, on)
