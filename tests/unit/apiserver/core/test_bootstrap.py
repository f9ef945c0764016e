"""What a cluster has from the beginning, and how it is kept."""

from __future__ import annotations

from typing import Any

from apiserver.core.bootstrap import Lacking, Misdirected, Missing, can_be_endpoint, key_of, plan_rbac

RULE = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
MORE = {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}


def _role(*rules: dict[str, Any], autoupdate: str = "true") -> dict[str, Any]:
    annotations = {"rbac.authorization.kubernetes.io/autoupdate": autoupdate}
    return {
        "kind": "ClusterRole",
        "metadata": {"name": "r", "annotations": annotations},
        "rules": list(rules),
    }


def _binding(role: str) -> dict[str, Any]:
    return {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {"name": role},
        "subjects": [],
    }


def _plan(wanted: dict[str, Any], existing: dict[str, Any] | None) -> list[Any]:
    return plan_rbac([wanted], {key_of(existing): existing} if existing else {})


def test_a_missing_role_is_created() -> None:
    """A new cluster has none."""
    assert _plan(_role(RULE), None) == [Missing(_role(RULE))]


def test_missing_rules_come_back_and_added_ones_stay() -> None:
    """An operator may give more, and cannot take away by accident."""
    assert _plan(_role(RULE), _role(MORE)) == [Lacking(_role(MORE, RULE))]
    assert _plan(_role(RULE), _role(RULE, MORE)) == []


def test_a_role_gathers_again_what_it_should() -> None:
    """Selectors and labels that somebody added stay, those that are missing come back; rules are the controller's."""
    ours, theirs = {"matchLabels": {"to": "edit"}}, {"matchLabels": {"to": "mine"}}
    wanted = _role() | {"aggregationRule": {"clusterRoleSelectors": [ours]}}
    wanted["metadata"] = wanted["metadata"] | {"labels": {"to": "admin"}}
    old = _role(RULE)
    [repair] = _plan(wanted, old)
    assert isinstance(repair, Lacking)
    assert (repair.obj["aggregationRule"], repair.obj["rules"]) == (wanted["aggregationRule"], [RULE])
    assert repair.obj["metadata"]["labels"] == {"to": "admin"}
    extended = repair.obj | {"aggregationRule": {"clusterRoleSelectors": [theirs]}}
    [repair] = _plan(wanted, extended)
    assert isinstance(repair, Lacking)
    assert repair.obj["aggregationRule"] == {"clusterRoleSelectors": [theirs, ours]}
    assert _plan(wanted, repair.obj) == []


def test_a_role_without_autoupdate_is_the_operators() -> None:
    """They say so with an annotation."""
    assert _plan(_role(RULE), _role(autoupdate="false")) == []


def test_a_binding_to_another_role_is_made_anew() -> None:
    """A roleRef cannot be changed."""
    assert _plan(_binding("r"), _binding("q")) == [Misdirected(_binding("r"))]


def test_pods_cannot_reach_an_apiserver_on_loopback() -> None:
    """So it is no endpoint."""
    assert can_be_endpoint("10.77.0.1")
    assert not any(can_be_endpoint(text) for text in ("127.0.0.1", "", "0.0.0.0", "::1", "apiserver"))
