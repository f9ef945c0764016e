"""Webhooks and policies about kinds that are served in several versions or groups, and reviews of an older version.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-matchpolicy
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from apiserver.core.values import Json
from kubarium.identity.pki import Pki
from machinery.model.errors import ApiError, InternalError, Invalid
from machinery.process.clock import WALL
from tests.support.apiserver import RegistryBench, config_map, read, running_registry
from tests.support.custom_resources import GROUP
from tests.support.waiting import until
from tests.support.web_server import WebServer, web_server

PATCH = [{"op": "add", "path": "/metadata/labels", "value": {"heard": "yes"}}]
PODS_V1 = {"scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}, "maxReplicas": 3}


@asynccontextmanager
async def registry() -> AsyncIterator[RegistryBench]:
    """Run a registry in real time."""
    async with running_registry(clock=WALL) as bench:
        try:
            yield bench
        finally:
            for close in bench.core.closing:
                await close()


def rule(resource: str, group: str = "", version: str = "v1", **more: Any) -> Json:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": ["*"],
        "resources": [resource],
        **more,
    }


def answer(review: Json, **response: Any) -> Json:
    """Allow a request, with a patch."""
    patch = base64.b64encode(msgspec.json.encode(PATCH)).decode()
    made = {
        "uid": review["request"]["uid"],
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": patch,
        **response,
    }
    return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": made}


async def asked_about(bench: RegistryBench, pki: Pki, server: WebServer, *rules: Json, **fields: Any) -> None:
    """Have a mutating webhook asked."""
    server.answer = lambda _path, review: answer(review)
    client = {"url": server.url, "caBundle": base64.b64encode(pki.certificate("ca").read_bytes()).decode()}
    hook = {
        "name": "hook.example.com",
        "clientConfig": client,
        "rules": list(rules),
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **fields,
    }
    await bench.create("mutatingwebhookconfigurations", {"metadata": {"name": "hooks"}, "webhooks": [hook]})
    await bench.feed.fresh()


async def posted(bench: RegistryBench, group: str, version: str, plural: str, obj: Json) -> Json:
    """Create an object in a version of its own."""
    request = msgspec.structs.replace(
        bench.request("create", plural, body=msgspec.json.encode(obj)), group=group, version=version
    )
    return read(await bench.registry.create(request))


def _beta(**response: Any) -> Callable[[str, Json], Json]:
    def reply(_path: str, review: Json) -> Json:
        made = answer(review, **response)
        return {"response": {name: value for name, value in made["response"].items() if value is not None}}

    return reply


@pytest.mark.parametrize(
    ("versions", "sent"), [(["v1beta1"], "v1beta1"), (["v9", "v1beta1", "v1"], "v1beta1"), (["v1", "v1beta1"], "v1")]
)  # fmt: skip
async def test_a_webhook_is_asked_in_the_first_version_that_it_takes(
    pki: Pki, versions: list[str], sent: str
) -> None:
    """An answer in v1beta1 need not say which review it is of, nor of what type its patch is."""
    async with web_server(pki) as server, registry() as bench:
        await asked_about(bench, pki, server, rule("configmaps"), admissionReviewVersions=versions)
        if sent == "v1beta1":
            server.answer = _beta(uid=None, patchType=None)
        made = await bench.create("configmaps", config_map("a"))
        assert made["metadata"]["labels"] == {"heard": "yes"}
        [review] = server.asked
        assert review["apiVersion"] == f"admission.k8s.io/{sent}"
        assert {"uid", "kind", "resource", "requestKind", "requestResource", "options", "object"} <= review["request"].keys()  # fmt: skip


@pytest.mark.parametrize("response", [{"uid": None}, {"patchType": None}])
async def test_version_1_is_strict(pki: Pki, response: Json) -> None:
    """What v1beta1 may leave out it may not."""
    async with web_server(pki) as server, registry() as bench:
        await asked_about(bench, pki, server, rule("configmaps"))
        server.answer = lambda _path, review: answer(review, **response)
        with pytest.raises(InternalError, match="received invalid webhook response"):
            await bench.create("configmaps", config_map("a"))


async def test_a_webhook_takes_versions_that_are_known(pki: Pki) -> None:
    """At least one of them."""
    async with registry() as bench:
        with pytest.raises(Invalid, match=r"admissionReviewVersions: Invalid value: .* must include at least one of v1, v1beta1"):  # fmt: skip
            await asked_about(
                bench, pki, WebServer("https://x"), rule("configmaps"), admissionReviewVersions=["v2"]
            )


HPA_V2 = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {
        **PODS_V1,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
    },
}  # fmt: skip
EVENT = {
    "apiVersion": "events.k8s.io/v1",
    "kind": "Event",
    "metadata": {"name": "e", "namespace": "default"},
    "eventTime": "2026-01-01T00:00:00.000000Z",
    "reportingController": "example.com/me",
    "reportingInstance": "me-1",
    "action": "Do",
    "reason": "Done",
    "type": "Normal",
    "note": "said",
    "regarding": {"kind": "Pod", "name": "web", "namespace": "default"},
}


@pytest.mark.parametrize("policy", ["Equivalent", "Exact"])
async def test_a_rule_about_one_version_is_about_the_others(pki: Pki, policy: str) -> None:
    """The webhook sees the object in the version of its rule, and its patch is of that; Exactly it is about one only."""
    async with web_server(pki) as server, registry() as bench:
        rules = rule("horizontalpodautoscalers", "autoscaling"), rule("events")
        await asked_about(bench, pki, server, *rules, matchPolicy=policy)
        made = await posted(bench, "autoscaling", "v2", "horizontalpodautoscalers", HPA_V2)
        assert (made["apiVersion"], made["spec"]["metrics"]) == ("autoscaling/v2", HPA_V2["spec"]["metrics"])
        event = await posted(bench, "events.k8s.io", "v1", "events", EVENT)
        heard = {"heard": "yes"} if policy == "Equivalent" else None
        assert (made["metadata"].get("labels"), event["metadata"].get("labels")) == (heard, heard)
        if policy == "Exact":
            assert not server.asked
            return
        scaler, told = (each["request"] for each in server.asked)
        assert scaler["object"]["spec"]["targetCPUUtilizationPercentage"] == 50
        assert (scaler["kind"]["version"], scaler["requestKind"]["version"]) == ("v1", "v2")
        assert (scaler["resource"]["version"], scaler["requestResource"]["version"]) == ("v1", "v2")
        assert (told["kind"]["group"], told["requestKind"]["group"]) == ("", "events.k8s.io")
        assert (told["object"]["message"], told["object"]["involvedObject"]["name"]) == ("said", "web")


async def test_a_rule_about_the_other_group_of_events_is_about_both(pki: Pki) -> None:
    """Whichever of them is stored."""
    async with web_server(pki) as server, registry() as bench:
        await asked_about(bench, pki, server, rule("events", "events.k8s.io"))
        event = {
            "metadata": {"name": "e"},
            "involvedObject": {"namespace": "default", "kind": "Pod", "name": "web"},
            "message": "said",
        }
        made = await posted(bench, "", "v1", "events", event)
        assert made["metadata"]["labels"] == {"heard": "yes"}
        [review] = server.asked
        assert (review["request"]["kind"]["group"], review["request"]["object"]["note"]) == (
            "events.k8s.io",
            "said",
        )


TEXT = {"type": "string"}


def two_versions(conversion: Json) -> Json:
    """Return a definition; of what a webhook converts, version 1 says `size`, and version 2 `width`."""
    fields = (
        {"v1": "size", "v2": "width"} if conversion["strategy"] == "Webhook" else {"v1": "size", "v2": "size"}
    )
    versions = [
        {
            "name": name,
            "served": True,
            "storage": name == "v2",
            "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "properties": {field: TEXT}}},
                }
            },
        }
        for name, field in fields.items()
    ]
    spec = {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "toys", "kind": "Toy"},
        "versions": versions,
        "conversion": conversion,
    }
    return {"metadata": {"name": f"toys.{GROUP}"}, "spec": spec}  # fmt: skip


def converted(_path: str, review: Json) -> Json:
    """Answer a ConversionReview."""
    wanted = review["request"]["desiredAPIVersion"]
    field = "size" if wanted.endswith("v1") else "width"
    objects = [
        {**each, "apiVersion": wanted, "spec": {field: next(iter(each["spec"].values()))}}
        for each in review["request"]["objects"]
    ]
    response = {"uid": review["request"]["uid"], "convertedObjects": objects, "result": {"status": "Success"}}
    return {"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": response}


async def defined(bench: RegistryBench, pki: Pki, strategy: str, converter: WebServer) -> None:
    """Have toys served in two versions."""
    conversion: Json = {"strategy": strategy}
    if strategy == "Webhook":
        ca = base64.b64encode(pki.certificate("ca").read_bytes()).decode()
        client = {"url": converter.url, "caBundle": ca}
        conversion["webhook"] = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    await bench.create("customresourcedefinitions", two_versions(conversion))

    async def served() -> bool:
        await bench.feed.fresh()
        return bench.catalogue.kind(GROUP, "v1", "toys") is not None

    await until(served)


def toy(name: str, version: str, **spec: str) -> Json:
    return {"apiVersion": f"{GROUP}/{version}", "kind": "Toy", "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(("strategy", "field"), [("None", "size"), ("Webhook", "width")])
async def test_custom_resources_are_shown_in_the_version_of_a_rule(
    pki: Pki, strategy: str, field: str
) -> None:
    """Also where somebody else converts them; policies see the same, and params are of the version that is named."""
    async with web_server(pki) as server, web_server(pki) as converter, registry() as bench:
        converter.answer = converted
        await defined(bench, pki, strategy, converter)
        await asked_about(bench, pki, server, rule("toys", GROUP))
        made = await posted(bench, GROUP, "v2", "toys", toy("a", "v2", **{field: "3"}))
        assert (made["spec"], made["metadata"]["labels"]) == ({field: "3"}, {"heard": "yes"})
        [review] = server.asked
        assert (review["request"]["object"]["spec"], review["request"]["object"]["apiVersion"]) == ({"size": "3"}, f"{GROUP}/v1")  # fmt: skip
        param_kind = {"apiVersion": f"{GROUP}/v1", "kind": "Toy"}
        spec = {
            "matchConstraints": {"resourceRules": [rule("toys", GROUP)]},
            "paramKind": param_kind,
            "validations": [{"expression": "object.spec.size == params.spec.size", "messageExpression": "'has to be ' + params.spec.size"}],
        }  # fmt: skip
        await bench.create("validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
        reference = {"name": "a", "parameterNotFoundAction": "Deny"}
        binding = {"policyName": "p", "validationActions": ["Deny"], "paramRef": reference}
        await bench.create("validatingadmissionpolicybindings", {"metadata": {"name": "b"}, "spec": binding})
        await bench.feed.fresh()
        await posted(bench, GROUP, "v2", "toys", toy("b", "v2", **{field: "3"}))
        with pytest.raises(ApiError, match="has to be 3"):
            await posted(bench, GROUP, "v2", "toys", toy("c", "v2", **{field: "4"}))
        if strategy == "Webhook":
            converter.answer = lambda _path, _review: 500
            with pytest.raises(InternalError, match="conversion webhook"):
                await posted(bench, GROUP, "v2", "toys", toy("d", "v2", **{field: "5"}))
