"""Plan for the Endpoints of one Service: written, changed, or deleted with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from controllers.core.actions import (
    NO_FACTS,
    NOTHING_TO_DO,
    Action,
    AllAtOnce,
    Create,
    Facts,
    Plan,
    RecordEvent,
    delete,
)
from controllers.core.merge_patch import diff_documents, patch_at_revision
from controllers.core.moment import Moment
from controllers.core.services import HEADLESS_LABEL
from controllers.core.trigger_time import TRIGGER_TIME, trigger_time
from controllers.endpoints.subsets import subsets_of
from machinery.model.endpoints import HEADLESS
from machinery.model.k8s.core_v1 import Endpoints, EndpointSubset, ObjectReference, Pod, Service
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import ENDPOINTS

MANAGED_BY: Final = "endpoints.kubernetes.io/managed-by"
MANAGER: Final = "endpoint-controller"
OVER_CAPACITY: Final = "endpoints.kubernetes.io/over-capacity"
LEADER: Final = "control-plane.alpha.kubernetes.io/leader"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows of one Service's name."""

    service: Service | None
    endpoints: Endpoints | None
    pods: Sequence[Pod] = ()  # that the Service selects


@dataclass(frozen=True, slots=True)
class LeftOver:
    """Endpoints without a Service, as they are found at the start."""

    endpoints: Sequence[Endpoints]


def plan(seen: Seen | LeftOver, moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for a Service's Endpoints, or for what is left of Services that went while nobody looked."""
    if isinstance(seen, LeftOver):
        gone = [each for each in seen.endpoints if LEADER not in each.metadata.annotations]
        return Plan((AllAtOnce(tuple(delete(ENDPOINTS, each) for each in gone)),)) if gone else NOTHING_TO_DO
    service, known = seen.service, seen.endpoints
    if service is None:
        return Plan((delete(ENDPOINTS, known),)) if known is not None else NOTHING_TO_DO
    if service.spec.type == "ExternalName" or not service.spec.selector:
        return NOTHING_TO_DO
    subsets, is_truncated = subsets_of(service, seen.pods)
    written = [known.metadata] if known is not None else []
    trigger = trigger_time(service, seen.pods, written, moment)
    annotations = ({TRIGGER_TIME: trigger} if trigger else {}) | (
        {OVER_CAPACITY: "truncated"} if is_truncated else {}
    )
    if known is None:
        return Plan(_creation(service, subsets, annotations))
    return Plan(_change(service, known, subsets, annotations))


def _creation(
    service: Service, subsets: list[EndpointSubset], annotations: dict[str, str]
) -> tuple[Action, ...]:
    meta = service.metadata
    if meta.deletionTimestamp:
        return ()
    new = Endpoints(
        metadata=ObjectMeta(
            name=meta.name, namespace=meta.namespace, labels=_labels(service), annotations=annotations
        ),
        subsets=subsets,
    )
    about = ObjectReference(apiVersion="v1", kind="Endpoints", namespace=meta.namespace, name=meta.name)
    text = f"Failed to create endpoint for service {meta.namespace}/{meta.name}: {{error}}"
    failed = RecordEvent(about, "Warning", "FailedToCreateEndpoint", text)
    return (Create(ENDPOINTS, new, on_failure=failed),)


def _change(
    service: Service, known: Endpoints, subsets: list[EndpointSubset], annotations: dict[str, str]
) -> tuple[Action, ...]:
    """Change what differs; the trigger time alone is no reason to write."""
    own = known.metadata.annotations
    others = {key: text for key, text in own.items() if key not in {TRIGGER_TIME, OVER_CAPACITY}}
    metadata: dict[str, Any] = {}
    document: dict[str, Any] = {}
    if labels := diff_documents(known.metadata.labels, _labels(service)):
        metadata["labels"] = labels
    if known.subsets != subsets:
        document["subsets"] = msgspec.to_builtins(subsets)
    if not document and not labels and (OVER_CAPACITY in own) == (OVER_CAPACITY in annotations):
        return ()
    if changes := diff_documents(own, others | annotations):
        metadata["annotations"] = changes
    return (patch_at_revision(ENDPOINTS, known, document | ({"metadata": metadata} if metadata else {})),)


def _labels(service: Service) -> dict[str, str]:
    is_headless = service.spec.clusterIP in {HEADLESS, ""}
    kept = {key: text for key, text in service.metadata.labels.items() if key != HEADLESS_LABEL}
    return kept | ({HEADLESS_LABEL: ""} if is_headless else {}) | {MANAGED_BY: MANAGER}
