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

LONGEST_S: Final = (
    365 * 24 * 3600
)  # cluster seconds that a certificate lasts, if nothing shorter is asked for
_SHORTEST_S: Final = 600


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    request: CertificateSigningRequest  # approved, to a signer of ours
    asked: Requested | None  # None where it cannot be read
    sign: SignCertificate


def plan(seen: Seen, moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan to write the certificate, or why there will be none."""
    spec = seen.request.spec
    fault = _fault(seen)
    if not fault:
        lifetime_s = moment.timescale.wall(_lifetime_s(spec.expirationSeconds))
        now_s = moment.timescale.wall(moment.now_s)
        try:
            certificate = seen.sign(spec.request, tuple(spec.usages), now_s, lifetime_s)
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


def _lifetime_s(wanted_s: int | None) -> int:
    return LONGEST_S if wanted_s is None else min(max(wanted_s, _SHORTEST_S), LONGEST_S)


def _conditions(request: CertificateSigningRequest) -> list[object]:
    return [msgspec.to_builtins(each) for each in request.status.conditions]


def _failed(message: str) -> dict[str, str]:
    return {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": message}


def _written(request: CertificateSigningRequest, status: dict[str, object]) -> Plan:
    patch = patch_at_revision(CERTIFICATE_SIGNING_REQUESTS, request, {"status": status}, subresource="status")
    return Plan((patch,))
