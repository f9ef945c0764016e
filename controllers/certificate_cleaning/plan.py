"""Plan for one request: how long it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.core.actions import NO_FACTS, Facts, Plan, delete
from controllers.core.certificate_requests import condition_of
from controllers.core.moment import Moment
from machinery.model.k8s.certificates_v1 import CertificateSigningRequest
from machinery.model.resources import CERTIFICATE_SIGNING_REQUESTS

_DECIDED_S: Final = 3600.0  # cluster seconds that a request is kept: approved, denied or failed
_PENDING_S: Final = 24 * 3600.0  # the same of one that nobody has decided


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    request: CertificateSigningRequest


def plan(seen: Seen, moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan to delete a request when its time is over."""
    left_s = _left_s(seen.request, moment)
    if left_s > 0:
        return Plan(requeue_after_s=left_s)
    return Plan((delete(CERTIFICATE_SIGNING_REQUESTS, seen.request),))


def _left_s(request: CertificateSigningRequest, moment: Moment) -> float:
    for type_ in ("Approved", "Denied", "Failed"):
        condition = condition_of(request, type_)
        if condition is not None:
            since = condition.lastUpdateTime or request.metadata.creationTimestamp
            return _DECIDED_S - moment.since(since)
    return _PENDING_S - moment.since(request.metadata.creationTimestamp)
