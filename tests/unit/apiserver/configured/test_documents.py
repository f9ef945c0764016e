"""What an administrator writes is read as it is meant, or refused with the field."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from apiserver.core.authz.webhook import compile_condition
from apiserver.core.configured.authorization import BuiltIn, Webhook, read_authorization
from apiserver.core.configured.documents import BadDocument, duration_s
from apiserver.core.configured.kubeconfig import Material, read_kubeconfig

WEBHOOK = {
    "timeout": "3s",
    "subjectAccessReviewVersion": "v1",
    "failurePolicy": "Deny",
    "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "/etc/webhook.yaml"},
}
NODE, RBAC = {"type": "Node", "name": "node"}, {"type": "RBAC", "name": "rbac"}


def configuration(*authorizers: Any, **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthorizationConfiguration",
        "authorizers": list(authorizers),
        **fields,
    }


def hook(**fields: Any) -> dict[str, Any]:
    return {"type": "Webhook", "name": "hook", "webhook": {**WEBHOOK, **fields}}


def test_authorizers_are_read_in_their_order() -> None:
    """With the times that hold where none are written."""
    condition = {"expression": "has(request.resourceAttributes)"}
    asked = hook(
        matchConditions=[condition], matchConditionSubjectAccessReviewVersion="v1", authorizedTTL="1h30m"
    )
    found = read_authorization(configuration(NODE, asked, RBAC), compile_condition)
    assert (found[0], found[2]) == (BuiltIn("Node", "node"), BuiltIn("RBAC", "rbac"))
    assert isinstance(found[1], Webhook)
    assert (found[1].authorized_ttl_s, found[1].unauthorized_ttl_s, found[1].timeout_s) == (5_400, 30, 3)
    assert (found[1].kubeconfig_file, found[1].denies_on_error) == ("/etc/webhook.yaml", True)
    [holds] = found[1].conditions
    assert holds({"resourceAttributes": {"verb": "get"}})
    assert not holds({"nonResourceAttributes": {"path": "/healthz"}})


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "this is no AuthorizationConfiguration"),
        ({"kind": "Policy"}, "kind: has to be AuthorizationConfiguration"),
        (configuration(RBAC, apiVersion="v1"), "apiVersion: "),
        (configuration(), "authorizers: at least one"),
        (configuration(RBAC, more=1), "unknown field `more`"),
        (configuration({**RBAC, "name": "A"}), "authorizers[0].name"),
        (configuration({**RBAC, "type": "ABAC"}), "authorizers[0].type"),
        (configuration(RBAC, {**RBAC, "name": "other"}), "authorizers[1].type: Duplicate"),
        (configuration(RBAC, {**NODE, "name": "rbac"}), "authorizers[1].name: Duplicate"),
        (configuration({**RBAC, "webhook": WEBHOOK}), "authorizers[0].webhook: may only"),
        (configuration({"type": "Webhook", "name": "hook"}), "authorizers[0].webhook: required"),
        (configuration(hook(timeout="31s")), "authorizers[0].webhook.timeout"),
        (configuration(hook(timeout="0s")), "authorizers[0].webhook.timeout"),
        (configuration(hook(timeout="soon")), "authorizers[0].webhook.timeout"),
        (configuration(hook(timeout=3)), "authorizers[0].webhook.timeout"),
        (configuration(hook(authorizedTTL="0")), "authorizers[0].webhook.authorizedTTL"),
        (configuration(hook(failurePolicy="Maybe")), "authorizers[0].webhook.failurePolicy"),
        (
            configuration(hook(connectionInfo={"type": "InClusterConfig"})),
            "connectionInfo.type: InClusterConfig",
        ),
        (
            configuration(hook(connectionInfo={"type": "KubeConfigFile"})),
            "kubeConfigFile: must be an absolute",
        ),
        (
            configuration(hook(matchConditions=[{"expression": "true"}])),
            "matchConditionSubjectAccessReviewVersion",
        ),
        *(
            (
                configuration(
                    hook(
                        matchConditions=[{"expression": text}, {"expression": text}],
                        matchConditionSubjectAccessReviewVersion="v1",
                    )
                ),
                said,
            )
            for text, said in (
                ("true", "matchConditions[1].expression: Duplicate"),
                ("request.", "matchConditions[0].expression: compilation failed"),
                ("request.nothing == 1", "matchConditions[0].expression: compilation failed"),
                ("request.user", "matchConditions[0].expression: must evaluate to bool"),
            )
        ),
    ],
)
def test_what_makes_no_sense_is_told_by_its_field(document: Any, said: str) -> None:
    """One fault at a time."""
    with pytest.raises(BadDocument) as refused:
        read_authorization(document, compile_condition)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1h1m1.5s", 3661.5), ("250ms", 0.25), ("0", 0), (".5m", 30), ("10us", 1e-5)],
)
def test_durations_are_gos(text: str, seconds: float) -> None:
    """Units in any number, fractions too."""
    assert duration_s(text, "a") == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1s ", "1d", "1e3s", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """With the field."""
    with pytest.raises(BadDocument, match=r"^a\.b: "):
        duration_s(text, "a.b")


PEM = b64encode(b"PEM").decode()
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    "clusters": [
        {"name": "other", "cluster": {"server": "https://other"}},
        {
            "name": "k",
            "cluster": {"server": "https://k", "certificate-authority-data": PEM, "tls-server-name": "n"},
        },
    ],
    "users": [{"name": "u", "user": {"client-certificate": "/c", "client-key": "/k", "tokenFile": "/t"}}],
}


def test_a_kubeconfig_says_whom_and_as_whom() -> None:
    """By its current context; one cluster and one user need none."""
    found = read_kubeconfig(KUBECONFIG)
    assert (found.url, found.server_name, found.credentials.token_file) == ("https://k", "n", "/t")
    assert (found.authority, found.credentials.certificate, found.credentials.key) == (
        Material(pem=b"PEM"),
        Material(file="/c"),
        Material(file="/k"),
    )
    alone = {"clusters": KUBECONFIG["clusters"][:1], "users": [{"name": "u", "user": {"token": "secret"}}]}
    found = read_kubeconfig(alone)
    assert (found.url, found.credentials.token) == ("https://other", "secret")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "no kubeconfig"),
        ({}, "clusters: there is none with a server"),
        ({**KUBECONFIG, "current-context": "gone"}, "current-context: there is no context 'gone'"),
        ({**KUBECONFIG, "clusters": 1}, "clusters: has to be a list"),
        ({"clusters": [{"name": "a", "cluster": {"server": "https://a", "proxy-url": "x"}}]}, "proxyUrl"),
        (
            {
                "clusters": [
                    {"name": "a", "cluster": {"server": "https://a", "certificate-authority-data": "!"}}
                ]
            },
            "certificate-authority-data: this is not Base64",
        ),
    ],
)
def test_a_kubeconfig_that_names_nobody_is_refused(document: Any, said: str) -> None:
    """What Kubarium does not do is told, too."""
    with pytest.raises(BadDocument, match=said):
        read_kubeconfig(document)
