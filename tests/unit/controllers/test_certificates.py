"""Requests for certificates: approved where a kubelet asks, signed by who may, deleted when they are old."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from controllers.certificate_approving import plan as approving
from controllers.certificate_cleaning import plan as cleaning
from controllers.certificate_signing import plan as signing
from controllers.core.actions import Delete, Facts, MayDo, Patch
from controllers.core.certificate_requests import (
    CLIENT,
    KUBELET_CLIENT,
    KUBELET_SERVING,
    LEGACY,
    Requested,
    client_fault,
    kubelet_client_fault,
    kubelet_serving_fault,
)
from machinery.model.k8s.certificates_v1 import (
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    CertificateSigningRequestSpec,
    CertificateSigningRequestStatus,
)
from tests.support.builders import meta
from tests.support.controllers import NOW_S, at, moment, of_type

NODE = "system:node:node-1"
YEAR_S = 31_536_000
CLIENT_USAGES = ["digital signature", "client auth"]
SERVER_USAGES = ["digital signature", "key encipherment", "server auth"]
ASKED = Requested(NODE, ("system:nodes",))
SERVING = Requested(NODE, ("system:nodes",), dns_names=("node-1",))


def request(
    signer: str = KUBELET_CLIENT, *types: str, since_s: float = 0, **spec: Any
) -> CertificateSigningRequest:
    conditions = [
        CertificateSigningRequestCondition(type=type_, status="True", lastUpdateTime=at(since_s))
        for type_ in types
    ]
    return CertificateSigningRequest(
        metadata=meta("csr", creationTimestamp=at(since_s)),
        spec=CertificateSigningRequestSpec(
            request="UEVN",
            signerName=signer,
            **{"usages": CLIENT_USAGES, "username": NODE, "groups": ["g"], **spec},
        ),
        status=CertificateSigningRequestStatus(conditions=conditions),
    )


@pytest.mark.parametrize(
    ("asked", "usages", "client", "serving"),
    [
        (ASKED, CLIENT_USAGES, True, False),
        (ASKED, [*CLIENT_USAGES, "key encipherment"], True, False),
        (ASKED, ["client auth"], False, False),
        (ASKED, [*CLIENT_USAGES, "server auth"], False, False),
        (Requested(NODE, ("system:nodes", "system:masters")), CLIENT_USAGES, False, False),
        (Requested(NODE, ()), CLIENT_USAGES, False, False),
        (Requested("node-1", ("system:nodes",)), CLIENT_USAGES, False, False),
        (SERVING, CLIENT_USAGES, False, False),
        (SERVING, SERVER_USAGES, False, True),
        (ASKED, SERVER_USAGES, False, False),
        (Requested(NODE, ("system:nodes",), addresses=("10.0.0.1",)), SERVER_USAGES, False, True),
        (Requested(NODE, ("system:nodes",), ("a",), emails=("a@b",)), SERVER_USAGES, False, False),
        (Requested(NODE, ("system:nodes",), ("a",), uris=("urn:a",)), SERVER_USAGES, False, False),
    ],
)
def test_what_a_kubelet_may_ask_for(asked: Requested, usages: list[str], client: bool, serving: bool) -> None:
    """Its name and group, and nothing that is not its own."""
    assert (kubelet_client_fault(asked, usages) == "") is client
    assert (kubelet_serving_fault(asked, usages) == "") is serving


def test_a_kubelets_request_is_approved_once_a_review_allows_it() -> None:
    """First whether it may have its own, then whether it may have any node's."""
    seen = approving.Seen(request(), ASKED)
    [own] = approving.plan(seen, moment()).needs
    assert isinstance(own, MayDo)
    assert (own.user, own.groups, own.subresource) == (NODE, ("g",), "selfnodeclient")
    approved = approving.plan(seen, moment(), Facts(permissions={own: True}))
    [patch] = of_type(approved, Patch)
    assert (patch.subresource, patch.patch["status"]["conditions"][0]["reason"]) == (
        "approval",
        "AutoApproved",
    )
    [any_node] = approving.plan(seen, moment(), Facts(permissions={own: False})).needs
    assert isinstance(any_node, MayDo)
    assert any_node.subresource == "nodeclient"
    refused = approving.plan(seen, moment(), Facts(permissions={own: False, any_node: False}))
    assert (refused.actions, refused.requeue_after_s) == ((), 60)


def test_who_asks_for_another_nodes_certificate_needs_to_be_allowed_any() -> None:
    """As one that is new, and has a token to begin with."""
    seen = approving.Seen(request(username="system:bootstrap:abcdef"), ASKED)
    [need] = approving.plan(seen, moment()).needs
    assert isinstance(need, MayDo)
    assert need.subresource == "nodeclient"


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "username", "subresource"),
    [
        (KUBELET_SERVING, SERVING, SERVER_USAGES, NODE, "selfnodeserver"),
        (CLIENT, Requested("system:kube-proxy"), CLIENT_USAGES, "system:bootstrap:abcdef", "nodeproxy"),
    ],
)
def test_what_machines_that_join_ask_for_is_approved_where_a_review_allows_it(
    signer: str, asked: Requested, usages: list[str], username: str, subresource: str
) -> None:
    """In a cluster of one machine nobody may create these subresources, so it waits for a person."""
    seen = approving.Seen(request(signer, usages=usages, username=username), asked)
    [need] = approving.plan(seen, moment()).needs
    assert isinstance(need, MayDo)
    assert (need.user, need.subresource) == (username, subresource)
    [patch] = of_type(approving.plan(seen, moment(), Facts(permissions={need: True})), Patch)
    assert patch.patch["status"]["conditions"][0]["type"] == "Approved"
    assert not approving.plan(seen, moment(), Facts(permissions={need: False})).actions


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "username"),
    [
        (KUBELET_SERVING, SERVING, SERVER_USAGES, "system:node:node-2"),
        (KUBELET_SERVING, Requested(NODE, ("system:nodes",), ("node-2",)), SERVER_USAGES, NODE),
        (KUBELET_SERVING, Requested(NODE, ("system:nodes",), ("node-1", "a")), SERVER_USAGES, NODE),
        (KUBELET_SERVING, Requested(NODE, ("system:nodes",), addresses=("10.0.0.1",)), SERVER_USAGES, NODE),
        (KUBELET_SERVING, SERVING, CLIENT_USAGES, NODE),
        (
            CLIENT,
            Requested("kubernetes-admin", ("system:masters",)),
            CLIENT_USAGES,
            "system:bootstrap:abcdef",
        ),
        (
            CLIENT,
            Requested("system:kube-proxy", ("system:masters",)),
            CLIENT_USAGES,
            "system:bootstrap:abcdef",
        ),
        (CLIENT, Requested("system:kube-proxy"), [*CLIENT_USAGES, "any"], "system:bootstrap:abcdef"),
        (LEGACY, Requested("system:kube-proxy"), CLIENT_USAGES, "system:bootstrap:abcdef"),
    ],
)
def test_what_is_another_nodes_or_more_than_a_proxys_waits_for_a_person(
    signer: str, asked: Requested, usages: list[str], username: str
) -> None:
    """Nothing is asked or done, whatever the one who asks may do."""
    seen = approving.Seen(request(signer, usages=usages, username=username), asked)
    assert approving.plan(seen, moment()) == approving.NOTHING_TO_DO


def test_what_no_kubelet_asks_for_waits_for_a_person() -> None:
    """Nothing is asked or done."""
    assert approving.plan(approving.Seen(request(), SERVING), moment()) == approving.NOTHING_TO_DO


def sign(asked: Requested | None, one: CertificateSigningRequest) -> dict[str, Any]:
    """Return the status that the signer writes."""
    seen = signing.Seen(
        one,
        asked,
        lambda _request, _usages, begins_s, ends_s: f"{begins_s - NOW_S:.0f} {ends_s - NOW_S:.0f}".encode(),
        YEAR_S,
    )
    [patch] = of_type(signing.plan(seen, moment()), Patch)
    assert patch.subresource == "status"
    return dict(patch.patch["status"])


@pytest.mark.parametrize(
    ("signer", "asked", "spec", "lifetime"),
    [
        (KUBELET_CLIENT, ASKED, {}, YEAR_S - 300),
        (KUBELET_CLIENT, ASKED, {"expirationSeconds": 3_600}, 3_600),
        (CLIENT, Requested("jane", ("devs",)), {"expirationSeconds": 1 << 30}, YEAR_S - 300),
        (KUBELET_SERVING, SERVING, {"usages": SERVER_USAGES}, YEAR_S - 300),
        (LEGACY, Requested("any"), {"usages": ["any"]}, YEAR_S - 300),
    ],
)
def test_each_signer_signs_what_it_is_for(
    signer: str, asked: Requested, spec: dict[str, Any], lifetime: int
) -> None:
    """As long as was asked for, a year at most; from a little earlier on, which a long one is shortened by."""
    written = sign(asked, request(signer, "Approved", **spec))
    assert written == {"certificate": b64encode(f"-300 {lifetime}".encode()).decode()}


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "said"),
    [
        (KUBELET_CLIENT, SERVING, CLIENT_USAGES, "DNS subjectAltNames are not allowed"),
        (KUBELET_SERVING, ASKED, SERVER_USAGES, "DNS or IP subjectAltName is required"),
        (CLIENT, ASKED, ["server auth"], "invalid usage for client certificate: server auth"),
        (CLIENT, ASKED, ["digital signature"], "missing required usage for client certificate: client auth"),
        (CLIENT, None, CLIENT_USAGES, "unable to parse csr"),
    ],
)
def test_what_a_signer_refuses_has_failed(
    signer: str, asked: Requested | None, usages: list[str], said: str
) -> None:
    """The other conditions stay."""
    approved, failed = sign(asked, request(signer, "Approved", usages=usages))["conditions"]
    assert approved["type"] == "Approved"
    assert failed == {
        "type": "Failed",
        "status": "True",
        "reason": "SignerValidationFailure",
        "message": said,
    }
    assert client_fault(CLIENT_USAGES) == ""


@pytest.mark.parametrize(
    ("types", "age_s", "left_s"),
    [
        ((), 0, 86_400),
        ((), 86_399, 1),
        ((), 86_400, None),
        (("Approved",), 3_599, 1),
        (("Approved",), 3_600, None),
        (("Denied",), 3_600, None),
        (("Approved", "Failed"), 3_600, None),
    ],
)
def test_requests_are_kept_for_a_while(types: tuple[str, ...], age_s: float, left_s: float | None) -> None:
    """A day where nobody decides, an hour after somebody has."""
    plan = cleaning.plan(cleaning.Seen(request(KUBELET_CLIENT, *types, since_s=-age_s)), moment())
    assert plan.requeue_after_s == left_s
    assert len(of_type(plan, Delete)) == (left_s is None)
