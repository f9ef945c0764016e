"""Plan for one request that is approved."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Final

import msgspec

from controllers.core.actions import NO_FACTS, Facts, Plan
from controllers.core.certificate_requests import (
    CLIENT,
    KUBELET_CLIENT,
    KUBELET_SERVING,
    Requested,
    client_fault,
    kubelet_client_fault,
    kubelet_serving_fault,
)
from controllers.core.controller import SignCertificate
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from machinery.model.k8s.certificates_v1 import CertificateSigningRequest
from machinery.model.resources import CERTIFICATE_SIGNING_REQUESTS

_SHORTEST_S: Final = 600  # cluster seconds, like those that follow
_BACKDATED_S: Final = 300.0  # a clock that is a little behind still accepts a fresh certificate
_SHORT_S: Final = 8 * 3600.0  # what lasts less is not shortened by that


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    request: CertificateSigningRequest  # approved, to a signer of ours
    asked: Requested | None  # None where it cannot be read
    sign: SignCertificate
    longest_s: float  # cluster seconds that a certificate lasts, if nothing shorter is asked for


def plan(seen: Seen, moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan to write the certificate, or why there will be none."""
    spec = seen.request.spec
    fault = _fault(seen)
    if not fault:
        begins_s, ends_s = map(moment.timescale.wall, _validity(seen, moment.now_s))
        try:
            certificate = seen.sign(spec.request, tuple(spec.usages), begins_s, ends_s)
        except ValueError as error:
            fault = str(error)
    if fault:
        return _written(seen.request, {"conditions": [*_conditions(seen.request), _failed(fault)]})
    return _written(seen.request, {"certificate": b64encode(certificate).decode()})


def _fault(seen: Seen) -> str:
    if seen.asked is None:
        return "unable to parse csr"
    usages = seen.request.spec.usages
    match seen.request.spec.signerName:
        case signer if signer == CLIENT:
            return client_fault(usages)
        case signer if signer == KUBELET_CLIENT:
            return kubelet_client_fault(seen.asked, usages)
        case signer if signer == KUBELET_SERVING:
            return kubelet_serving_fault(seen.asked, usages)
    return ""


def _validity(seen: Seen, now_s: float) -> tuple[float, float]:
    """Return from when until when the certificate is valid, in cluster seconds."""
    wanted_s = seen.request.spec.expirationSeconds
    lasts_s = seen.longest_s if wanted_s is None else min(max(wanted_s, _SHORTEST_S), seen.longest_s)
    return now_s - _BACKDATED_S, now_s + lasts_s - (_BACKDATED_S if lasts_s >= _SHORT_S else 0)


def _conditions(request: CertificateSigningRequest) -> list[object]:
    return [msgspec.to_builtins(each) for each in request.status.conditions]


def _failed(message: str) -> dict[str, str]:
    return {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": message}


def _written(request: CertificateSigningRequest, status: dict[str, object]) -> Plan:
    patch = patch_at_revision(CERTIFICATE_SIGNING_REQUESTS, request, {"status": status}, subresource="status")
    return Plan((patch,))
