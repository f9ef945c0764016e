"""The part of admission that follows objects, put together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from apiserver.admission.evaluation import Authorize
from apiserver.admission.forms import Forms
from apiserver.admission.metrics import AdmissionMetrics
from apiserver.admission.policies import MUTATING as MUTATING_POLICIES
from apiserver.admission.policies import VALIDATING as VALIDATING_POLICIES
from apiserver.admission.policies import PolicyStage
from apiserver.admission.service_dialer import ServiceDialer
from apiserver.admission.stages import Stages
from apiserver.admission.web_client import WebClient
from apiserver.admission.webhook_call import AsWhom, as_nobody
from apiserver.admission.webhooks import MUTATING, VALIDATING, Webhooks
from apiserver.core.apply.topology import Topologies
from apiserver.core.catalogue import Catalogue
from apiserver.core.schema import Schemas
from apiserver.storage.interface import Storage
from apiserver.watch_cache_feed import Feed
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from machinery.process.metrics import Metrics


def build_stages(
    catalogue: Catalogue,
    feed: Feed,
    storage: Storage,
    schemas: Schemas,
    authorize: Authorize,
    on: Collection[str],
    *,
    client: WebClient,
    dialer: ServiceDialer,
    clock: Clock,
    log: EventLog,
    metrics: Metrics,
    meter: AdmissionMetrics,
    as_whom: Mapping[str, AsWhom] = MappingProxyType({}),
) -> Stages:
    """Return webhooks and policies as the watch caches have them; `on` names the plugins that are on.

    `as_whom` says for a plugin of webhooks, by its name, as whom it calls servers.
    """
    forms = Forms(catalogue, feed, schemas)
    topologies = Topologies(schemas)

    def policies(plurals: tuple[str, str]) -> PolicyStage:
        return PolicyStage(plurals, catalogue, feed, storage, forms, topologies, meter)

    def webhooks(name: str, plural: str) -> Webhooks:
        known = as_whom.get(name, as_nobody)
        return Webhooks(plural, catalogue, feed, forms, client, dialer, clock, log, metrics, known)

    mutating: dict[str, Callable[[], PolicyStage | Webhooks]] = {
        "MutatingAdmissionPolicy": lambda: policies(MUTATING_POLICIES),
        "MutatingAdmissionWebhook": lambda: webhooks("MutatingAdmissionWebhook", MUTATING),
    }
    validating: dict[str, Callable[[], PolicyStage | Webhooks]] = {
        "ValidatingAdmissionPolicy": lambda: policies(VALIDATING_POLICIES),
        "ValidatingAdmissionWebhook": lambda: webhooks("ValidatingAdmissionWebhook", VALIDATING),
    }
    return Stages(
        forms,
        {name: make() for name, make in mutating.items() if name in on},
        {name: make() for name, make in validating.items() if name in on},
        authorize,
        meter,
    )
