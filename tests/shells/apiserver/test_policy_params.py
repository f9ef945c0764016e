"""Params, failure policies, audit annotations and reinvocation of policies; what a dry run may ask.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from apiserver import audit_notes
from apiserver.core.values import Json
from kubarium.identity.pki import Pki
from machinery.model.errors import ApiError, BadRequest, Invalid
from machinery.process.clock import WALL
from tests.support.apiserver import RegistryBench, config_map, pod, running_registry
from tests.support.web_server import web_server

RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods"]}
PARAMS = {"apiVersion": "v1", "kind": "ConfigMap"}
DENIED = "ValidatingAdmissionPolicy 'policy' with binding 'binding' denied request: "


@pytest.fixture
async def bench() -> AsyncIterator[RegistryBench]:
    """A registry on a store in memory."""
    async with running_registry() as running:
        yield running


async def bound(bench: RegistryBench, spec: Json, prefix: str = "validating", **binding: Any) -> None:
    """Have a policy hold for pods."""
    spec = {"matchConstraints": {"resourceRules": [RULE]}, **spec}
    own = {"policyName": "policy", **binding}
    if prefix == "mutating":
        spec.setdefault("reinvocationPolicy", "Never")
    else:
        own.setdefault("validationActions", ["Deny"])
    await bench.create(f"{prefix}admissionpolicies", {"metadata": {"name": "policy"}, "spec": spec})
    await bench.create(f"{prefix}admissionpolicybindings", {"metadata": {"name": "binding"}, "spec": own})
    await bench.feed.fresh()


async def refusal(bench: RegistryBench, **labels: str) -> str:
    """Return why a pod is refused; "" where it is not."""
    try:
        await bench.create("pods", pod("web", labels=labels), dry_run=True)
    except ApiError as error:
        return error.message
    return ""


def param(name: str, tier: str, **data: str) -> Json:
    made = config_map(name, **data)
    made["metadata"]["labels"] = {"tier": tier}
    return made


async def test_params_are_chosen_by_their_labels(bench: RegistryBench) -> None:
    """Every one that is found has to agree; an empty selector finds all; where none is found, it says what follows."""
    for name, tier, wants in (("a", "front", "x"), ("b", "front", "y"), ("c", "back", "x")):
        await bench.create("configmaps", param(name, tier, wants=wants))
    await bench.feed.fresh()
    spec = {
        "paramKind": PARAMS,
        "validations": [
            {
                "expression": "params.data.wants in object.metadata.labels",
                "messageExpression": "params.metadata.name + ' wants ' + params.data.wants",
            }
        ],
    }
    cases = [
        ({"matchLabels": {"tier": "front"}}, "Deny", {"x": "1"}, f"{DENIED}b wants y"),
        ({"matchLabels": {"tier": "front"}}, "Deny", {"x": "1", "y": "1"}, ""),
        ({"matchLabels": {"tier": "back"}}, "Deny", {"y": "1"}, f"{DENIED}c wants x"),
        ({}, "Deny", {"y": "1"}, "wants x"),
        ({"matchLabels": {"tier": "none"}}, "Allow", {}, ""),
        ({"matchLabels": {"tier": "none"}}, "Deny", {}, "no params found for policy binding with `Deny` parameterNotFoundAction"),
    ]  # fmt: skip
    await bound(bench, spec, paramRef={"selector": {}, "parameterNotFoundAction": "Deny"})
    for selector, action, labels, said in cases:
        reference = {"selector": selector, "parameterNotFoundAction": action}
        binding = await bench.get("validatingadmissionpolicybindings", "binding")
        binding["spec"]["paramRef"] = reference
        await bench.update("validatingadmissionpolicybindings", binding)
        await bench.feed.fresh()
        found = await refusal(bench, **labels)
        assert bool(found) is bool(said), (selector, found)
        assert said in found


async def test_params_are_of_the_requests_namespace_or_of_the_one_that_is_named(bench: RegistryBench) -> None:
    """Those of a namespace are none for what lies in none."""
    await bench.create("namespaces", {"metadata": {"name": "other"}})
    await bench.create("configmaps", config_map("limits", most="1"), namespace="other")
    await bench.feed.fresh()
    spec = {
        "paramKind": PARAMS,
        "matchConstraints": {"resourceRules": [RULE, {**RULE, "resources": ["nodes"]}]},
        "validations": [{"expression": "params.data.most == '1'"}],
    }
    reference = {"name": "limits", "parameterNotFoundAction": "Deny"}
    await bound(bench, spec, paramRef=reference)
    assert "no params found" in await refusal(bench)
    with pytest.raises(
        ApiError, match="cannot use namespaced paramRef in policy binding that matches cluster-scoped"
    ):
        await bench.create("nodes", {"metadata": {"name": "n"}})
    binding = await bench.get("validatingadmissionpolicybindings", "binding")
    binding["spec"]["paramRef"]["namespace"] = "other"
    await bench.update("validatingadmissionpolicybindings", binding)
    await bench.feed.fresh()
    assert await refusal(bench) == ""
    await bench.create("nodes", {"metadata": {"name": "n"}})


BROKEN = "object.metadata.labels.nope == 'x'"
TRUE = {"expression": "true"}


@pytest.mark.parametrize(
    ("spec", "binding", "said"),
    [
        ({"validations": [{"expression": BROKEN}]}, {}, "resulted in error: no such key: nope"),
        ({"validations": [TRUE], "matchConditions": [{"name": "c", "expression": BROKEN}]}, {}, "no such key: nope"),
        ({"validations": [TRUE], "auditAnnotations": [{"key": "k", "valueExpression": "string(object.metadata.labels.nope)"}]}, {}, "no such key: nope"),
        ({"validations": [{"expression": "variables.v"}], "variables": [{"name": "v", "expression": BROKEN}]}, {}, 'composited variable "v" fails to evaluate'),
        ({"validations": [TRUE], "paramKind": {"apiVersion": "example.com/v1", "kind": "Nobody"}}, {"paramRef": {"name": "x", "parameterNotFoundAction": "Allow"}}, "paramKind kind `example.com/v1, Kind=Nobody` not known"),
        ({"validations": [{"expression": "params.data.x == '1'"}], "paramKind": PARAMS}, {"paramRef": {"name": "x", "parameterNotFoundAction": "Deny"}}, "no params found for policy binding"),
        ({"validations": [{"expression": "params == null"}], "paramKind": PARAMS}, {}, ""),
        ({"validations": [TRUE], "paramKind": PARAMS}, {"paramRef": {"name": "x", "parameterNotFoundAction": "Allow"}}, ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
async def test_what_cannot_be_evaluated_is_the_failure_policys(
    bench: RegistryBench, spec: Json, binding: Json, said: str, policy: str
) -> None:
    """A policy that ignores its failures says nothing then."""
    await bound(bench, {**spec, "failurePolicy": policy}, **binding)
    found = await refusal(bench, app="web")
    assert bool(found) is bool(said and policy == "Fail"), found
    assert not found or (DENIED in found and said in found)


async def test_the_audit_log_hears_of_failures_and_of_what_policies_say(bench: RegistryBench) -> None:
    """In Kubernetes' keys; the values of several bindings stand side by side, each once."""
    annotation = {"key": "who", "valueExpression": "'label ' + object.metadata.labels.app"}
    spec = {
        "validations": [{"expression": "false", "message": "never"}, {"expression": "1 == 2"}],
        "auditAnnotations": [annotation, {"key": "none", "valueExpression": "null"}],
    }
    await bound(bench, spec, validationActions=["Audit"])
    other = {"policyName": "policy", "validationActions": ["Audit", "Warn"]}
    await bench.create("validatingadmissionpolicybindings", {"metadata": {"name": "other"}, "spec": other})
    await bench.feed.fresh()
    token = audit_notes.begin()
    try:
        await bench.create("pods", pod("web", labels={"app": "web"}))
        noted = dict(audit_notes.noted())
    finally:
        audit_notes.end(token)
    assert noted["policy/who"] == "label web"
    assert "policy/none" not in noted
    failures = json.loads(noted["validation.policy.admission.k8s.io/validation_failure"])
    said = [
        (each["binding"], each["expressionIndex"], each["message"], each["validationActions"])
        for each in failures
    ]
    assert [each["policy"] for each in failures] == ["policy"] * 4
    assert said == [
        ("binding", 0, "never", ["Audit"]),
        ("binding", 1, "failed expression: 1 == 2", ["Audit"]),
        ("other", 0, "never", ["Audit", "Warn"]),
        ("other", 1, "failed expression: 1 == 2", ["Audit", "Warn"]),
    ]


def counting(name: str) -> Json:
    """Return a mutation that counts how often it was made, in a label."""
    text = f"string(int(object.metadata.?labels[?'{name}'].orValue('0')) + 1)"
    value = f"Object{{metadata: Object.metadata{{labels: {{'{name}': {text}}}}}}}"
    return {"mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": value}}]}


async def mutating(bench: RegistryBench, name: str, reinvocation: str) -> None:
    """Have a mutating policy hold that counts."""
    spec = {
        "matchConstraints": {"resourceRules": [RULE]},
        "reinvocationPolicy": reinvocation,
        **counting(name),
    }
    await bench.create("mutatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
    own = {"policyName": name}
    await bench.create("mutatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": own})


async def test_policies_and_webhooks_hear_again_of_what_others_changed(pki: Pki) -> None:
    """Policies come before webhooks: one that is to be asked again hears of what a webhook did, once."""

    def answer(_path: str, review: Json) -> Json:
        count = int(review["request"]["object"]["metadata"].get("labels", {}).get("hook", "0")) + 1
        patch = [{"op": "add", "path": "/metadata/labels/hook", "value": str(count)}]
        coded = base64.b64encode(msgspec.json.encode(patch)).decode()
        response = {
            "uid": review["request"]["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": coded,
        }
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

    async with web_server(pki) as server, running_registry(clock=WALL) as bench:
        server.answer = answer
        ca = base64.b64encode(pki.certificate("ca").read_bytes()).decode()
        hook = {
            "name": "hook.example.com",
            "clientConfig": {"url": server.url, "caBundle": ca},
            "rules": [RULE],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "reinvocationPolicy": "IfNeeded",
        }
        await bench.create("mutatingwebhookconfigurations", {"metadata": {"name": "h"}, "webhooks": [hook]})
        for name, policy in (("again", "IfNeeded"), ("once", "Never")):
            await mutating(bench, name, policy)
        await bench.feed.fresh()
        token = audit_notes.begin()
        made = await bench.create("pods", pod("web"))
        noted = dict(audit_notes.noted())
        audit_notes.end(token)
        assert made["metadata"]["labels"] == {"again": "2", "once": "1", "hook": "2"}
        assert len(server.asked) == 2
        place = "webhook.admission.k8s.io/round_{}_index_0"
        known = {"configuration": "h", "webhook": "hook.example.com"}
        for round_ in (0, 1):
            assert json.loads(noted[f"mutation.{place.format(round_)}"]) == {**known, "mutated": True}
            patch = [{"op": "add", "path": "/metadata/labels/hook", "value": str(round_ + 1)}]
            assert json.loads(noted[f"patch.{place.format(round_)}"]) == {
                **known,
                "patch": patch,
                "patchType": "JSONPatch",
            }
        for close in bench.core.closing:
            await close()


@pytest.mark.parametrize(
    ("effects", "is_asked"), [("None", True), ("NoneOnDryRun", True), ("Some", False), ("Unknown", False)]
)
async def test_a_dry_run_is_refused_where_a_webhook_has_effects(
    pki: Pki, effects: str, is_asked: bool
) -> None:
    """One that has them cannot be configured in v1; one that was stored before is not asked."""
    async with web_server(pki) as server, running_registry(clock=WALL) as bench:
        server.answer = lambda _path, review: {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": review["request"]["uid"], "allowed": True},
        }
        ca = base64.b64encode(pki.certificate("ca").read_bytes()).decode()
        hook = {
            "name": "hook.example.com",
            "clientConfig": {"url": server.url, "caBundle": ca},
            "rules": [RULE],
            "sideEffects": effects,
            "admissionReviewVersions": ["v1"],
        }
        made = {"metadata": {"name": "h"}, "webhooks": [hook]}
        plural = "validatingwebhookconfigurations"
        if is_asked:
            await bench.create(plural, made)
        else:
            with pytest.raises(Invalid, match="sideEffects"):
                await bench.create(plural, made)
            stored = await bench.create(
                plural, {"metadata": {"name": "h"}, "webhooks": [{**hook, "sideEffects": "None"}]}
            )
            stored["webhooks"][0]["sideEffects"] = effects
            del stored["metadata"]["resourceVersion"]
            key = f"/registry/{plural}/h"
            found = await bench.storage.get(key)
            assert found is not None
            await bench.storage.update(key, msgspec.json.encode(stored), found.revision)
        await bench.feed.fresh()
        await bench.create("pods", pod("real"))
        assert len(server.asked) == 1
        if is_asked:
            await bench.create("pods", pod("dry"), dry_run=True)
            assert server.asked[-1]["request"]["dryRun"] is True
        else:
            with pytest.raises(
                BadRequest, match=r'admission webhook "hook\.example\.com" does not support dry run'
            ):
                await bench.create("pods", pod("dry"), dry_run=True)
            assert len(server.asked) == 1
        for close in bench.core.closing:
            await close()
