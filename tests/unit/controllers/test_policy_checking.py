"""Type checking of ValidatingAdmissionPolicies.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#type-checking
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controllers.core.actions import NOTHING_TO_DO, Documents, Facts, Finding, Patch
from controllers.core.definitions import (
    Condition,
    Definition,
    DefinitionSpec,
    DefinitionStatus,
    Names,
    Version,
)
from controllers.core.documents import Document
from controllers.validatingadmissionpolicy_status.kinds import kinds_of, known_kinds
from controllers.validatingadmissionpolicy_status.plan import Seen, plan
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.process.published_schemas import document
from tests.support.controllers import moment, of_type
from tests.support.custom_resources import GROUP, SCHEMA

PUBLISHED = document()
TOYS = Definition(
    metadata=ObjectMeta(name=f"toys.{GROUP}"),
    spec=DefinitionSpec(
        group=GROUP, scope="Namespaced", versions=[Version(name="v1", served=True, storage=True)]
    ),
    status=DefinitionStatus(
        acceptedNames=Names(plural="toys", kind="Toy"),
        conditions=[Condition(type="Established", status="True")],
    ),
)
KINDS = known_kinds([TOYS])
TOY_SCHEMA = {"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": SCHEMA}}]}}


def rule(*resources: str, group: str = "apps", version: str = "v1") -> dict[str, Any]:
    return {"apiGroups": [group], "apiVersions": [version], "operations": ["*"], "resources": list(resources)}


def policy(spec: dict[str, Any], **status: Any) -> Document:
    return Document(
        metadata=ObjectMeta(name="p", uid="u", resourceVersion="7", generation=2), spec=spec, status=status
    )


def checked(*rules: dict[str, Any], **spec: Any) -> list[dict[str, str]]:
    """Return the warnings of a policy."""
    seen = Seen(
        policy({"matchConstraints": {"resourceRules": list(rules)}, **spec}), KINDS, lambda: PUBLISHED
    )
    facts = Facts()
    while needs := plan(seen, moment(), facts).needs:
        facts = replace(
            facts,
            documents=facts.documents
            | {each: (TOY_SCHEMA,) for each in needs if isinstance(each, Documents)},
            findings={each: each.find() for each in needs if isinstance(each, Finding)},
        )
    [patch] = of_type(plan(seen, moment(), facts), Patch)
    status = patch.patch["status"]
    assert (patch.subresource, status["observedGeneration"]) == ("status", 2)
    found: list[dict[str, str]] = status["typeChecking"]["expressionWarnings"] or []
    return found


def test_a_warning_says_what_is_wrong_with_which_kind() -> None:
    """In the words of Kubernetes' documentation; a wrong field of two kinds is told of both."""
    found = checked(rule("deployments", "replicasets"), validations=[{"expression": "object.replicas > 1"}])
    mark = "ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^\n"
    text = f"apps/v1, Kind=Deployment: {mark}\napps/v1, Kind=ReplicaSet: {mark}"
    assert found == [{"fieldRef": "spec.validations[0].expression", "warning": text}]


@pytest.mark.parametrize(
    ("rules", "expression", "warning"),
    [
        ([rule("deployments")], "object.spec.replicas > 1 && oldObject.spec.template.spec.containers[0].image != ''", ""),
        ([rule("deployments")], "object.spec.replicas == '1'", "no matching overload for '_==_' applied to '(int, string)'"),
        ([rule("deployments", "statefulsets")], "object.spec.serviceName == ''", "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'serviceName'"),
        ([rule("pods", group="")], "object.spec.containers.all(c, c.resources.limits['cpu'] != 1)", ""),
        ([rule("pods", group="")], "object.spec.nope", "/v1, Kind=Pod: ERROR"),
        ([rule("pods", group="")], "object.metadata.labels.exists(l, l == 'a') && request.operation == 'CREATE' && authorizer.requestResource.check('get').allowed()", ""),
        ([rule("*")], "object.nope", ""),
        ([rule("deployments", version="*")], "object.nope", ""),
        ([rule("deployments/status")], "object.nope", ""),
        ([rule("nobodies")], "object.nope", ""),
        ([rule("toys", group=GROUP)], "object.spec.size > 1 && object.metadata.uid != ''", ""),
        ([rule("toys", group=GROUP)], "object.spec.nope", "toys.example.com/v1, Kind=Toy: ERROR: <input>:1:12: undefined field 'nope'"),
        ([rule("tokenreviews", group="authentication.k8s.io")], "object.spec.nope", "Kind=TokenReview"),
        ([rule("customresourcedefinitions", group="apiextensions.k8s.io")], "object.spec.versions[0].schema.openAPIV3Schema.type == ''", ""),
        ([], "object.nope", ""),
    ],
)  # fmt: skip
def test_expressions_are_checked_with_the_types_of_the_kinds(
    rules: list[Any], expression: str, warning: str
) -> None:
    """Custom resources included; rules with "*", subresources and kinds that nobody knows are passed over."""
    found = checked(*rules, validations=[{"expression": "true", "messageExpression": expression}])
    assert [each["fieldRef"] for each in found] == ["spec.validations[0].messageExpression"] * bool(warning)
    assert not found or warning in found[0]["warning"]


def test_params_and_variables_have_types() -> None:
    """Params of an unknown kind are none that an expression may name, as in Kubernetes."""
    variables = [
        {"name": "many", "expression": "object.spec.replicas > 2"},
        {"name": "bad", "expression": "object.nope"},
    ]
    rules = [{"expression": "variables.many && variables.bad == 1"}, {"expression": "variables.many > 1"}]
    [found] = checked(rule("deployments"), variables=variables, validations=rules)
    assert "applied to '(bool, int)'" in found["warning"]
    rules = [{"expression": "params.data['a'] == 'b'"}, {"expression": "params.spec == 1"}]
    kinds = {"v1": "ConfigMap", f"{GROUP}/v1": "Toy", "example.com/v1": "Nobody"}
    found_by = {
        kind: [each["fieldRef"][17] for each in checked(rule("deployments"), paramKind={"apiVersion": version, "kind": kind}, validations=rules)]
        for version, kind in kinds.items()
    }  # fmt: skip
    assert found_by == {"ConfigMap": ["1"], "Toy": ["0", "1"], "Nobody": ["0", "1"]}


def test_a_policy_is_checked_once() -> None:
    """Until it changes; and with so many kinds at most."""
    assert plan(Seen(policy({}, observedGeneration=2), KINDS, lambda: b""), moment()) is NOTHING_TO_DO
    names = sorted({place[2] for place in KINDS if place[:2] == ("", "v1")})
    assert len(kinds_of({"matchConstraints": {"resourceRules": [rule(*names, group="")]}}, KINDS)) <= 10
