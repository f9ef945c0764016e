"""What the REST door works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from apiserver.aggregation.build import Aggregation
from apiserver.authentication import Authenticator
from apiserver.core.catalogue import Catalogue
from apiserver.gate import Gate
from apiserver.kubelets import Kubelets
from apiserver.registry import Registry
from apiserver.schemas import document
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from machinery.process.health import Health
from machinery.process.metrics import Metrics
from machinery.process.token_key import TokenKey


@dataclass(frozen=True, slots=True, kw_only=True)
class RestServices:
    """The parts of the apiserver that the door hands requests to, and the name of it that every answer carries."""

    name: str
    catalogue: Catalogue
    registry: Registry
    gate: Gate
    authenticator: Authenticator
    token_key: TokenKey
    kubelets: Kubelets
    clock: Clock
    log: EventLog
    metrics: Metrics
    health: Health
    storage_size: Callable[[], Awaitable[int]]  # asked before metrics are told
    aggregation: Aggregation | None = None  # the servers behind APIServices
    configuration: Mapping[str, object] = field(default_factory=dict)  # what the apiserver was told
    definitions: Callable[[], bytes] = field(
        default=document
    )  # the published schemas, read when first asked for
