"""Plan for one request that is not decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Facts, MayDo, Plan
from controllers.core.certificate_requests import Requested, kubelet_client_fault
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from machinery.model.k8s.certificates_v1 import CertificateSigningRequest
from machinery.model.resources import CERTIFICATE_SIGNING_REQUESTS

_AGAIN_S = 60.0  # a role may have been bound meanwhile


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    request: CertificateSigningRequest  # to the signer of kubelets' client certificates
    asked: Requested


def plan(seen: Seen, _moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan to approve a kubelet's request, once a review says that who asks may have it."""
    if kubelet_client_fault(seen.asked, seen.request.spec.usages):
        return NOTHING_TO_DO
    for question, message in _questions(seen):
        if question not in facts.permissions:
            return Plan(needs=(question,))
        if facts.permissions[question]:
            return _approval(seen.request, message)
    return Plan(requeue_after_s=_AGAIN_S)


def _questions(seen: Seen) -> Iterator[tuple[MayDo, str]]:
    """Yield what has to be allowed, one of it: to ask for one's own certificate, or for any node's."""
    spec = seen.request.spec
    who = (spec.username, spec.uid, tuple(spec.groups))
    extra = tuple(sorted((key, tuple(values)) for key, values in spec.extra.items()))
    own, any_node = (
        MayDo(*who, extra, "create", "certificates.k8s.io", "certificatesigningrequests", subresource)
        for subresource in ("selfnodeclient", "nodeclient")
    )
    if spec.username == seen.asked.common_name:
        yield own, "Auto approving self kubelet client certificate after SubjectAccessReview."
    yield any_node, "Auto approving kubelet client certificate after SubjectAccessReview."


def _approval(request: CertificateSigningRequest, message: str) -> Plan:
    condition = {"type": "Approved", "status": "True", "reason": "AutoApproved", "message": message}
    status = {"conditions": [condition]}
    patch = patch_at_revision(
        CERTIFICATE_SIGNING_REQUESTS, request, {"status": status}, subresource="approval"
    )
    return Plan((patch,))
