"""Plan for one request that is not decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Facts, MayDo, Plan
from controllers.core.certificate_requests import (
    CLIENT,
    KUBELET_SERVING,
    Requested,
    client_fault,
    kubelet_client_fault,
    kubelet_serving_fault,
)
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from machinery.model.k8s.certificates_v1 import CertificateSigningRequest
from machinery.model.resources import CERTIFICATE_SIGNING_REQUESTS

_PROXY = "system:kube-proxy"
_AGAIN_S = 60.0  # a role may have been bound meanwhile


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    request: CertificateSigningRequest  # to a signer of certificates that nodes have
    asked: Requested


def plan(seen: Seen, _moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan to approve a kubelet's request, once a review says that who asks may have it."""
    if _fault(seen):
        return NOTHING_TO_DO
    for question, message in _questions(seen):
        if question not in facts.permissions:
            return Plan(needs=(question,))
        if facts.permissions[question]:
            return _approval(seen.request, message)
    return Plan(requeue_after_s=_AGAIN_S)


def _fault(seen: Seen) -> str:
    """Return why a request is none that is approved here, whoever asks; "" where it may be.

    Kubernetes approves no serving certificates, and no proxies' ones: here only who may create the subresources
    `selfnodeserver` and `nodeproxy` gets them, which nobody may in a cluster of one machine.
    """
    asked, spec = seen.asked, seen.request.spec
    match spec.signerName:
        case signer if signer == KUBELET_SERVING:
            is_own = spec.username == asked.common_name and asked.dns_names == (_node_of(asked),)
            return kubelet_serving_fault(asked, spec.usages) or (
                "" if is_own else "not of the node that asks"
            )
        case signer if signer == CLIENT:
            is_proxy = asked == Requested(_PROXY)
            return client_fault(spec.usages) or ("" if is_proxy else "not of a proxy")
    return kubelet_client_fault(asked, spec.usages)


def _node_of(asked: Requested) -> str:
    return asked.common_name.removeprefix("system:node:")


def _questions(seen: Seen) -> Iterator[tuple[MayDo, str]]:
    """Yield what has to be allowed, one of it: to ask for one's own certificate, or for any node's."""
    spec = seen.request.spec
    who = (spec.username, spec.uid, tuple(spec.groups))
    extra = tuple(sorted((key, tuple(values)) for key, values in spec.extra.items()))
    own, any_node, own_serving, proxy = (
        MayDo(*who, extra, "create", "certificates.k8s.io", "certificatesigningrequests", subresource)
        for subresource in ("selfnodeclient", "nodeclient", "selfnodeserver", "nodeproxy")
    )
    if spec.signerName == KUBELET_SERVING:
        yield own_serving, "Auto approving self kubelet server certificate after SubjectAccessReview."
        return
    if spec.signerName == CLIENT:
        yield (
            proxy,
            "Auto approving client certificate of a joining machine's proxies after SubjectAccessReview.",
        )
        return
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
