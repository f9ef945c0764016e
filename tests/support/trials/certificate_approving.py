"""Requests for certificates that are approved."""

from __future__ import annotations

from controllers import (
    certificate_approving,
)
from machinery.model.k8s.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestSpec
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
)
from tests.support.certificate_requests import requested
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def a_node_asks_for_a_certificate(world: CrashWorld) -> None:
    """It is approved."""
    await ask_for_a_certificate(world, "csr")
    await world.settle()
    found = await world.user.get(CERTIFICATE_SIGNING_REQUESTS, "csr")
    assert [each.type for each in found.status.conditions] == ["Approved"]


async def ask_for_a_certificate(world: CrashWorld, name: str, *types: str, at: str | None = None) -> None:
    """Ask as a node, and have it decided."""
    spec = CertificateSigningRequestSpec(
        request=requested("system:node:node-1", "system:nodes"),
        signerName="kubernetes.io/kube-apiserver-client-kubelet",
        usages=["digital signature", "client auth"],
    )
    request = CertificateSigningRequest(metadata=ObjectMeta(name=name), spec=spec)
    await world.server.given(CERTIFICATE_SIGNING_REQUESTS, request)
    conditions = [{"type": type_, "status": "True", "lastUpdateTime": at} for type_ in types]
    status = {"status": {"conditions": conditions}}
    if types:
        await world.user.patch(CERTIFICATE_SIGNING_REQUESTS, name, status, subresource="approval")


TRIALS = (Trial(a_node_asks_for_a_certificate, (certificate_approving.build,), writes=2),)
