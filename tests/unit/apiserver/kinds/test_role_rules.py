"""Roles that gather the rules of others."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.kinds import KINDS
from tests.support.pod_specs import read

PATH = "aggregationRule.clusterRoleSelectors"


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ({"clusterRoleSelectors": [{}]}, []),
        ({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}, []),
        ({}, [PATH]),
        ({"clusterRoleSelectors": []}, [PATH]),
        (
            {"clusterRoleSelectors": [{}, {"matchExpressions": [{"key": "a", "operator": "Is"}]}]},
            [f"{PATH}[1].matchExpressions[0].operator"],
        ),
    ],
)
def test_selectors_are_there_and_make_sense(rule: dict[str, Any], fields: list[str]) -> None:
    """Each fault by its field."""
    role = {"metadata": {"name": "all"}, "rules": [], "aggregationRule": rule}
    kind = KINDS["rbac.authorization.k8s.io", "clusterroles"]
    causes = kind.rules.validate.create(read(role, kind.plural, kind.group))
    assert [cause.field for cause in causes] == fields
