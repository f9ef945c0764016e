"""ValidatingAdmissionPolicies and MutatingAdmissionPolicies, through the registry.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from apiserver.core.values import Json
from machinery.model.errors import ApiError, Invalid
from tests.support.apiserver import RegistryBench, config_map, pod, running_registry

RULE = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["configmaps"],
}
DENIED = "ValidatingAdmissionPolicy 'policy' with binding 'binding' denied request: "


@pytest.fixture
async def bench() -> AsyncIterator[RegistryBench]:
    """A registry on a store in memory."""
    async with running_registry() as running:
        yield running


async def _bound(
    bench: RegistryBench,
    spec: Json,
    binding: Json | None = None,
    *,
    mutating: bool = False,
    name: str = "policy",
) -> None:
    """Have a policy hold."""
    prefix = "mutating" if mutating else "validating"
    spec = {"matchConstraints": {"resourceRules": [RULE]}, **spec}
    own = {"policyName": name, **({} if mutating else {"validationActions": ["Deny"]}), **(binding or {})}
    if mutating:
        spec.setdefault("reinvocationPolicy", "Never")
    await bench.create(f"{prefix}admissionpolicies", {"metadata": {"name": name}, "spec": spec})
    await bench.create(f"{prefix}admissionpolicybindings", {"metadata": {"name": "binding"}, "spec": own})
    await bench.feed.fresh()


async def _refusal(bench: RegistryBench, obj: Json, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await bench.create("configmaps", obj, **options)
    return caught.value


def validation(expression: str, **more: Any) -> Json:
    """Return a policy with one validation."""
    return {"validations": [{"expression": expression, **more}]}


@pytest.mark.parametrize(
    ("rule", "message", "code", "reason"),
    [
        ({}, "failed expression: object.data.size() < 2", 422, "Invalid"),
        ({"message": "too much"}, "too much", 422, "Invalid"),
        ({"message": "x", "messageExpression": "'has ' + string(object.data.size())"}, "has 2", 422, "Invalid"),
        ({"message": "x", "messageExpression": "object.nope"}, "x", 422, "Invalid"),
        ({"message": "x", "messageExpression": "'a\\nb'"}, "x", 422, "Invalid"),
        ({"reason": "Forbidden"}, "failed expression: object.data.size() < 2", 403, "Forbidden"),
    ],
)  # fmt: skip
async def test_a_policy_denies_in_the_words_that_it_has(bench: RegistryBench, rule, message, code, reason):
    """What is written for a person goes first; the code follows from the reason."""
    if rule.get("messageExpression") == "object.nope":
        rule = {**rule, "messageExpression": "string(object.nope)"}
    await _bound(bench, validation("object.data.size() < 2", **rule))
    await bench.create("configmaps", config_map("a", one="1"))
    error = await _refusal(bench, config_map("b", one="1", two="2"))
    assert error.message == f'configmaps "b" is forbidden: {DENIED}{message}'
    assert (error.code, error.reason) == (code, reason)
    assert error.causes[0].message == f"{DENIED}{message}"


@pytest.mark.parametrize(
    ("spec", "binding", "is_denied"),
    [
        ({}, {}, True),
        ({"matchConditions": [{"name": "c", "expression": "object.metadata.name != 'a'"}]}, {}, False),
        ({"matchConditions": [{"name": "c", "expression": "request.operation == 'CREATE'"}]}, {}, True),
        ({"matchConstraints": {"resourceRules": [{**RULE, "resourceNames": ["b"]}]}}, {}, False),
        ({"matchConstraints": {"resourceRules": [RULE], "excludeResourceRules": [RULE]}}, {}, False),
        ({}, {"matchResources": {"namespaceSelector": {"matchLabels": {"a": "b"}}}}, False),
        ({}, {"matchResources": {"objectSelector": {"matchLabels": {"app": "web"}}}}, True),
        ({}, {"matchResources": {"resourceRules": [{**RULE, "operations": ["UPDATE"]}]}}, False),
        ({}, {"validationActions": ["Audit"]}, False),
        ({"failurePolicy": "Ignore", **validation("object.nope == 1")}, {}, False),
        ({"failurePolicy": "Fail", **validation("object.nope == 1")}, {}, True),
    ],
)  # fmt: skip
async def test_a_policy_holds_where_it_and_its_binding_match(bench: RegistryBench, spec, binding, is_denied):
    """And where it can be evaluated, or fails closed."""
    await _bound(bench, {**validation("false"), **spec}, binding)
    made = config_map("a")
    made["metadata"]["labels"] = {"app": "web"}
    if is_denied:
        await _refusal(bench, made)
    else:
        await bench.create("configmaps", made)


async def test_a_warning_is_no_refusal(bench: RegistryBench):
    """It is told to the client; variables are evaluated where they are needed, each with those before it."""
    spec = {
        "variables": [
            {"name": "name", "expression": "object.metadata.name"},
            {"name": "long", "expression": "variables.name.size() > 3"},
            {"name": "broken", "expression": "object.nope"},
        ],
        "validations": [
            {"expression": "!variables.long", "messageExpression": "variables.name + ' is long'"}
        ],
    }
    await _bound(bench, spec, {"validationActions": ["Warn", "Audit"]})
    request = bench.request("create", "configmaps", body=msgspec.json.encode(config_map("longer")))
    reply = await bench.registry.create(request)
    expected = (
        "Validation failed for ValidatingAdmissionPolicy 'policy' with binding 'binding': longer is long"
    )
    assert reply.warnings == (expected,)


async def test_params_are_the_ones_that_a_binding_names(bench: RegistryBench):
    """By name or by labels; where there are none, it says what follows from that."""
    param_kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    spec = {"paramKind": param_kind, **validation("int(params.data.most) >= object.data.size() || object.metadata.name == params.metadata.name")}  # fmt: skip
    reference = {"name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"}
    await _bound(bench, spec, {"paramRef": reference})
    error = await _refusal(bench, config_map("a"))
    text = (
        "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    )
    assert error.message.endswith(f"{DENIED}{text}")
    await bench.delete("validatingadmissionpolicybindings", "binding")
    await bench.feed.fresh()
    await bench.create("configmaps", config_map("limits", most="1"))
    own = {"policyName": "policy", "validationActions": ["Deny"], "paramRef": reference}
    await bench.create("validatingadmissionpolicybindings", {"metadata": {"name": "binding"}, "spec": own})
    await bench.feed.fresh()
    await bench.create("configmaps", config_map("a", one="1"))
    await _refusal(bench, config_map("b", one="1", two="2"))


async def test_expressions_are_compiled_before_they_are_stored(bench: RegistryBench):
    """What does not compile, or is of another type, is refused with its place."""
    for expression, words in (
        ("object.metadata.name ==", "compilation failed: ERROR: <input>:1:"),
        ("request.nope == ''", "undefined field 'nope'"),
        ("'text'", "must evaluate to bool"),
        ("object.metadata.name", "must evaluate to bool"),
        ("variables.nope", "undefined field 'nope'"),
        ("params.x == 1", "undeclared reference to 'params'"),
    ):
        spec = {"matchConstraints": {"resourceRules": [RULE]}, **validation(expression)}
        with pytest.raises(Invalid) as caught:
            await bench.create("validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
        assert "spec.validations[0].expression" in caught.value.message
        assert words in caught.value.message


async def test_the_authorizer_may_be_asked(bench: RegistryBench):
    """About the one who asks, or about a ServiceAccount."""
    check = "authorizer.{}group('').resource('secrets').namespace('x').check('get').allowed()"
    await _bound(bench, validation(f"{check.format('')} && !{check.format('serviceAccount(' + repr('x') + ', ' + repr('y') + ').')}"))  # fmt: skip
    await bench.create("configmaps", config_map("a"))


async def test_an_expression_without_end_is_ended(bench: RegistryBench):
    """The policy fails as it says."""
    loop = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    text = "".join(f"{loop}.all({name}, " for name in "abcdef") + "a + b + c + d + e + f > 0" + ")" * 6
    await _bound(bench, validation(text))
    error = await _refusal(bench, config_map("a"))
    assert "cost" in error.message


def patched(expression: str) -> Json:
    """Return a mutating policy with a JSON patch."""
    return {"mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}]}


def applied(expression: str) -> Json:
    """Return a mutating policy with an apply configuration."""
    return {
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}]
    }


@pytest.mark.parametrize(
    ("spec", "labels"),
    [
        (applied("Object{metadata: Object.metadata{labels: {'a': object.metadata.name}}}"), {"app": "web", "a": "web"}),
        (patched("[JSONPatch{op: 'add', path: '/metadata/labels/a', value: 'b'}]"), {"app": "web", "a": "b"}),
        (patched("[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('x.io/y'), value: 'b'}]"), {"app": "web", "x.io/y": "b"}),
        (patched("[JSONPatch{op: 'test', path: '/metadata/labels/app', value: 'db'}, JSONPatch{op: 'remove', path: '/metadata/labels/app'}]"), {"app": "web"}),
        (patched("object.metadata.name == 'web' ? [JSONPatch{op: 'remove', path: '/metadata/labels/app'}] : []"), None),
    ],
)  # fmt: skip
async def test_a_policy_changes_objects(bench: RegistryBench, spec, labels):
    """By merging what it says, or by a patch; a test that fails leaves the object as it is."""
    await _bound(bench, spec, mutating=True)
    made = config_map("web")
    made["metadata"]["labels"] = {"app": "web"}
    assert (await bench.create("configmaps", made))["metadata"].get("labels") == labels


async def test_lists_are_merged_by_their_keys_and_defaults_follow(bench: RegistryBench):
    """A container that is added gets what all get; one that is there keeps what it has."""
    rule = {**RULE, "resources": ["pods"]}
    added = "Object.spec.containers{name: 'side', image: 'proxy:1'}"
    spec = {"matchConstraints": {"resourceRules": [rule]}, **applied(f"Object{{spec: Object.spec{{containers: [{added}]}}}}")}  # fmt: skip
    await _bound(bench, spec, mutating=True)
    made = await bench.create("pods", pod("web"))
    containers = made["spec"]["containers"]
    assert [each["name"] for each in containers] == ["main", "side"]
    assert containers[1]["imagePullPolicy"] == "IfNotPresent"
    assert containers[1]["volumeMounts"]  # the ServiceAccount's token: plugins run again


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (patched("[JSONPatch{op: 'remove', path: '/nope'}]"), "JSONPath: "),
        (patched("object.nope"), ""),
        (applied("Object{data: Object.data{x: object.nope}}"), "no such key: nope"),
        (
            applied("Object{immutable: 'x'}"),
            "error applying patch: failed to convert patch object to typed object",
        ),
    ],
)
async def test_a_mutation_that_cannot_be_made_is_the_failure_policys(bench: RegistryBench, spec, words):
    """It ends the request, or is left out."""
    if not words:
        with pytest.raises(Invalid, match="must evaluate to list"):
            await _bound(bench, spec, mutating=True)
        return
    await _bound(bench, spec, mutating=True)
    error = await _refusal(bench, config_map("a"))
    assert error.message.startswith("policy 'policy' with binding 'binding' denied request: ")
    assert words in error.message
    policy = await bench.get("mutatingadmissionpolicies", "policy")
    policy["spec"]["failurePolicy"] = "Ignore"
    await bench.update("mutatingadmissionpolicies", policy)
    await bench.feed.fresh()
    await bench.create("configmaps", config_map("a"))
