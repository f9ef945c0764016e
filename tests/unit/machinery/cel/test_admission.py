"""The variables of admission."""

from __future__ import annotations

import pytest

from machinery.cel import CompileError, compile_expression
from machinery.cel.admission import admission_environment, with_variables
from machinery.cel.types import INT

REQUEST = {
    "operation": "CREATE",
    "userInfo": {"username": "a", "groups": ["g"], "extra": {"k": ["v"]}},
    "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
    "options": {"dryRun": ["All"]},
}


@pytest.mark.parametrize(
    "text",
    [
        "request.operation == 'CREATE' && 'g' in request.userInfo.groups",
        "request.userInfo.extra['k'] == ['v']",
        "request.resource.resource == 'deployments' && !has(request.subResource)",
        "request.options.dryRun[0] == 'All'",
        "namespaceObject.metadata.labels['env'] == 'prod'",
        "object.spec.replicas == 3 && oldObject == null",
    ],
)
def test_a_condition_is_over_the_request_and_its_objects(text):
    """Each of the documented variables is there."""
    variables = {
        "request": REQUEST,
        "namespaceObject": {"metadata": {"name": "n", "labels": {"env": "prod"}}},
        "object": {"spec": {"replicas": 3}},
        "oldObject": None,
    }
    assert compile_expression(text, admission_environment())(variables) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("request.oporation == 'CREATE'", "undefined field 'oporation'"),
        ("namespaceObject.data == {}", "undefined field 'data'"),
        ("params.x == 1", "undeclared reference to 'params' (in container '')"),
        ("variables.x == 1", "undeclared reference to 'variables' (in container '')"),
        ("Object{spec: 1}", "undeclared reference to 'Object' (in container '')"),
    ],
)
def test_what_is_not_there_is_refused(text, message):
    """Before it is ever evaluated."""
    with pytest.raises(CompileError) as caught:
        compile_expression(text, admission_environment())
    assert message in str(caught.value)


def test_a_policy_has_params_messages_and_variables_of_its_own():
    """A variable has the type of its expression."""
    environment = with_variables(admission_environment(has_params=True, mutates=True), {"replicas": INT})
    program = compile_expression("variables.replicas + params.more", environment)
    assert program({"variables": {"replicas": 3}, "params": {"more": 2}}) == 5
    with pytest.raises(CompileError, match="undefined field 'nope'"):
        compile_expression("variables.nope", environment)
    made = compile_expression("JSONPatch{op: 'add', path: '/a', value: 1}", environment)({})
    assert made == {"op": "add", "path": "/a", "value": 1}
