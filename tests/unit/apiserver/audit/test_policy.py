"""The first rule of a policy that matches a request says how much of it is written down."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.audit.policy import Level, Recorded, read_policy
from apiserver.core.authz.attributes import Attributes
from apiserver.core.configured.documents import BadDocument
from apiserver.request import UserInfo

JANE = UserInfo("jane", groups=("devs", "system:authenticated"))
GET = Attributes(verb="get", version="v1", resource="pods", namespace="apps", name="web")
LOG = Attributes(verb="get", version="v1", resource="pods", subresource="log", namespace="apps", name="web")
DEPLOYMENT = Attributes(verb="update", group="apps", version="v1", resource="deployments", namespace="apps")
NODE = Attributes(verb="list", version="v1", resource="nodes")
PATH = Attributes(verb="get", path="/healthz/ping")


def policy(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **fields}


def core(*resources: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"resources": [{"group": "", "resources": list(resources), "resourceNames": list(names)}]}


@pytest.mark.parametrize(
    ("rule", "matched"),
    [
        ({}, {GET, LOG, DEPLOYMENT, NODE, PATH}),
        ({"users": ["jane"]}, {GET, LOG, DEPLOYMENT, NODE, PATH}),
        ({"users": ["joe"]}, set()),
        ({"userGroups": ["ops", "devs"]}, {GET, LOG, DEPLOYMENT, NODE, PATH}),
        ({"userGroups": ["ops"]}, set()),
        ({"verbs": ["get"]}, {GET, LOG, PATH}),
        ({"namespaces": ["apps"]}, {GET, LOG, DEPLOYMENT}),
        ({"namespaces": [""]}, {NODE}),
        (core(), {GET, LOG, NODE}),
        (core("pods"), {GET}),
        (core("pods/log"), {LOG}),
        (core("pods/*"), {GET, LOG}),
        (core("*/log"), {LOG}),
        (core("*"), {GET, LOG, NODE}),
        (core("pods", names=("web",)), {GET}),
        (core("pods", names=("other",)), set()),
        ({"resources": [{"group": "apps"}]}, {DEPLOYMENT}),
        ({"resources": [{"group": "*", "resources": ["*"]}]}, set()),
        ({"nonResourceURLs": ["/healthz*"]}, {PATH}),
        ({"nonResourceURLs": ["/healthz"]}, set()),
        ({"nonResourceURLs": ["*"]}, {PATH}),
        ({"verbs": ["get"], "namespaces": ["apps"], "users": ["jane"], **core("pods")}, {GET}),
    ],
)
def test_a_rule_matches_by_all_that_it_names(rule: dict[str, Any], matched: set[Attributes]) -> None:
    """What it does not name does not matter; a group "*" means nothing."""
    found = read_policy(policy({"level": "Metadata", **rule}))
    recorded = {asked for asked in (GET, LOG, DEPLOYMENT, NODE, PATH) if found.recorded(JANE, asked).level}
    assert recorded == matched


def test_the_first_rule_decides() -> None:
    """Stages that are left out add up; a rule's own word on managed fields counts."""
    found = read_policy(
        policy(
            {"level": "None", **core("nodes")},
            {
                "level": "Request",
                "omitStages": ["ResponseComplete"],
                "omitManagedFields": False,
                **core("pods"),
            },
            {"level": "RequestResponse", **core()},
            omitStages=["RequestReceived"],
            omitManagedFields=True,
        )
    )
    assert found.recorded(JANE, NODE) == Recorded(Level.NONE, frozenset({"RequestReceived"}), True)
    both = frozenset({"RequestReceived", "ResponseComplete"})
    assert found.recorded(JANE, GET) == Recorded(Level.REQUEST, both, False)
    assert found.recorded(JANE, LOG) == Recorded(Level.REQUEST_RESPONSE, frozenset({"RequestReceived"}), True)
    assert found.recorded(JANE, DEPLOYMENT).level is Level.NONE


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"kind": "Config"}, "kind: "),
        (policy(apiVersion="audit.k8s.io/v1beta1"), "apiVersion: "),
        (policy(), "rules: "),
        (policy({}), "rules[0]: "),
        (policy({"level": "metadata"}), "rules[0].level"),
        (policy({"level": "None", "omitStages": ["Later"]}), "rules[0].omitStages[0]"),
        (policy({"level": "None", "user": ["a"]}), "unknown field `user`"),
        (policy({"level": "None", "nonResourceURLs": ["healthz"]}), "rules[0].nonResourceURLs[0]"),
        (policy({"level": "None", "nonResourceURLs": ["/a*b"]}), "rules[0].nonResourceURLs[0]"),
        (
            policy({"level": "None", "nonResourceURLs": ["*"], "namespaces": ["a"]}),
            "rules[0].nonResourceURLs",
        ),
        (policy({"level": "None", "resources": [{"group": "apps/v1"}]}), "rules[0].resources[0].group"),
        (
            policy({"level": "None", "resources": [{"resourceNames": ["a"]}]}),
            "rules[0].resources[0].resourceNames",
        ),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_its_field(document: Any, said: str) -> None:
    """Before anything is served."""
    with pytest.raises(BadDocument) as refused:
        read_policy(document)
    assert said in str(refused.value)
