"""Which requests webhooks and policies are asked about, and as what: those that go around the store, too.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-rules
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

import aiohttp
import msgspec
from yarl import URL

from apiserver.core.values import Json
from kubarium.identity.pki import Pki
from tests.support.apiserver import Served, config_map, pod
from tests.support.web_server import WebServer, web_server

EVERYTHING = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
CORE, DEFAULT = "/api/v1", "/api/v1/namespaces/default"
ME = "kubernetes-admin"


class Case(NamedTuple):
    """A request, and what a webhook hears of it: operation, resource with subresource, kind, name; None: nothing."""

    method: str
    path: str
    body: Any
    heard: tuple[str, str, str, str] | None
    judged: bool = True  # whether policies are asked, too


def _reviewed(group: str, kind: str, spec: Json, namespace: str = "") -> Case:
    plural = f"{kind.lower()}s"
    where = f"namespaces/{namespace}/" if namespace else ""
    body = {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}
    heard = ("CREATE", plural, f"{group}/v1 {kind}", "")
    return Case("POST", f"/apis/{group}/v1/{where}{plural}", body, heard, judged=False)


def _connect(path: str, kind: str, method: str = "GET", *, what: str = "pods", name: str = "web") -> Case:
    subresource = path.partition("?")[0].split("/")[0]
    base = f"{CORE}/nodes" if what == "nodes" else f"{DEFAULT}/{what}"
    heard = ("CONNECT", f"{what}/{subresource}", f"v1 {kind}", name)
    return Case(method, f"{base}/{name}/{path}", None, heard)


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod()["spec"]},
    },
}
SCALE = {
    "apiVersion": "autoscaling/v1",
    "kind": "Scale",
    "metadata": {"name": "web"},
    "spec": {"replicas": 2},
}
BINDING = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "web"}, "target": {"name": "node-1"}}
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}
ACCESS = {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}, "spec": {"finalizers": ["kubernetes"]}}  # fmt: skip
CASES = [
    Case("GET", f"{DEFAULT}/pods", None, None),
    Case("GET", f"{DEFAULT}/pods/web", None, None),
    Case("GET", f"{DEFAULT}/pods/web/log", None, None),
    Case("POST", f"{CORE}/namespaces", {**NAMESPACE, "spec": {}}, ("CREATE", "namespaces", "v1 Namespace", "other")),
    Case("PUT", f"{CORE}/namespaces/other/finalize", NAMESPACE, ("UPDATE", "namespaces/finalize", "v1 Namespace", "other")),
    Case("POST", f"{DEFAULT}/pods", pod(), ("CREATE", "pods", "v1 Pod", "web")),
    Case("POST", f"{DEFAULT}/pods?dryRun=All", pod("dry"), ("CREATE", "pods", "v1 Pod", "dry")),
    _connect("exec?command=ls&stdout=true", "PodExecOptions"),
    _connect("exec?command=ls&stdout=true", "PodExecOptions", "POST"),
    _connect("attach?stdout=true", "PodAttachOptions"),
    _connect("portforward?ports=80", "PodPortForwardOptions"),
    _connect("proxy/a%20path/?x=1", "PodProxyOptions"),
    _connect("proxy/", "PodProxyOptions", "DELETE"),
    _connect("proxy/", "ServiceProxyOptions", "PUT", what="services"),
    _connect("proxy/", "NodeProxyOptions", what="nodes", name="node-1"),
    Case("PUT", f"{DEFAULT}/pods/web/ephemeralcontainers", pod(), ("UPDATE", "pods/ephemeralcontainers", "v1 Pod", "web")),
    Case("PATCH", f"{DEFAULT}/pods/web/status", {"status": {"message": "x"}}, ("UPDATE", "pods/status", "v1 Pod", "web")),
    Case("POST", f"{DEFAULT}/pods/web/binding", BINDING, ("CREATE", "pods/binding", "v1 Binding", "web")),
    Case("POST", f"{DEFAULT}/bindings", BINDING, ("CREATE", "bindings", "v1 Binding", "web")),
    Case("POST", f"{DEFAULT}/pods/web/eviction", EVICTION, ("CREATE", "pods/eviction", "policy/v1 Eviction", "web")),
    Case("POST", f"{DEFAULT}/serviceaccounts/default/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["x"]}}, ("CREATE", "serviceaccounts/token", "authentication.k8s.io/v1 TokenRequest", "default")),
    Case("POST", "/apis/apps/v1/namespaces/default/deployments", DEPLOYMENT, ("CREATE", "deployments", "apps/v1 Deployment", "web")),
    Case("PUT", "/apis/apps/v1/namespaces/default/deployments/web/scale", SCALE, ("UPDATE", "deployments/scale", "autoscaling/v1 Scale", "web")),
    Case("POST", f"{DEFAULT}/configmaps", config_map("a"), ("CREATE", "configmaps", "v1 ConfigMap", "a")),
    Case("DELETE", f"{DEFAULT}/configmaps", None, ("DELETE", "configmaps", "v1 ConfigMap", "a")),
    _reviewed("authentication.k8s.io", "TokenReview", {"token": "x"}),
    _reviewed("authentication.k8s.io", "SelfSubjectReview", {}),
    _reviewed("authorization.k8s.io", "SelfSubjectAccessReview", ACCESS),
    _reviewed("authorization.k8s.io", "SubjectAccessReview", {**ACCESS, "user": "x"}),
    _reviewed("authorization.k8s.io", "LocalSubjectAccessReview", {**ACCESS, "user": "x"}, "default"),
    _reviewed("authorization.k8s.io", "SelfSubjectRulesReview", {"namespace": "default"}),
    Case("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/nope", None, None),
]  # fmt: skip


async def _ask(client: aiohttp.ClientSession, case: Case) -> tuple[int, Json]:
    headers = {
        "Content-Type": "application/merge-patch+json" if case.method == "PATCH" else "application/json"
    }
    body = None if case.body is None else msgspec.json.encode(case.body)
    async with client.request(
        case.method, URL(case.path, encoded=True), data=body, headers=headers
    ) as answer:
        text = await answer.read()
    try:
        return answer.status, msgspec.json.decode(text)
    except msgspec.DecodeError:
        return answer.status, {}


def _heard(asked: list[Json]) -> list[Json]:
    return [each["request"] for each in asked if each["request"]["userInfo"]["username"] == ME]


def _shown(request: Json) -> tuple[str, str, str, str]:
    kind, resource = request["kind"], request["resource"]["resource"]
    what = f"{resource}/{request['subResource']}" if request.get("subResource") else resource
    version = f"{kind['group']}/{kind['version']}" if kind["group"] else kind["version"]
    return request["operation"], what, f"{version} {kind['kind']}", request.get("name", "")


async def _given(client: aiohttp.ClientSession) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}]},
    }
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    for path, body in ((f"{DEFAULT}/services", service), (f"{CORE}/nodes", node), (f"{DEFAULT}/serviceaccounts", account)):  # fmt: skip
        assert (await _ask(client, Case("POST", path, body, None)))[0] == 201


def _hook(pki: Pki, server: WebServer) -> Json:
    ca = base64.b64encode(pki.certificate("ca").read_bytes()).decode()
    server.answer = lambda _path, review: {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": review["request"]["uid"], "allowed": True},
    }
    return {
        "name": "hook.example.com",
        "clientConfig": {"url": f"{server.url}/", "caBundle": ca},
        "rules": [EVERYTHING],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }


async def test_webhooks_hear_of_every_write_and_connection(
    pki: Pki, served: Served, admin: aiohttp.ClientSession
) -> None:
    """Each request is asked about once, as what Kubernetes says it is; reads are not, nor is what configures admission."""
    async with web_server(pki) as server:
        await _given(admin)
        registration = "/apis/admissionregistration.k8s.io/v1"
        body = {"metadata": {"name": "hooks"}, "webhooks": [_hook(pki, server)]}
        assert (await _ask(admin, Case("POST", f"{registration}/validatingwebhookconfigurations", body, None)))[0] == 201  # fmt: skip
        await served.core.feed.fresh()
        seen: dict[str, list[Json]] = {}
        for case in CASES:
            server.asked.clear()
            status, answer = await _ask(admin, case)
            heard = seen[case.path] = _heard(server.asked)
            assert [_shown(each) for each in heard] == ([case.heard] if case.heard else []), (case, answer)
            assert status != 500, (case, answer)
        (exec_,) = seen[f"{DEFAULT}/pods/web/exec?command=ls&stdout=true"]
        assert exec_["object"] == {
            "kind": "PodExecOptions",
            "apiVersion": "v1",
            "stdout": True,
            "command": ["ls"],
        }
        assert (exec_["namespace"], exec_["oldObject"], exec_["options"], exec_["dryRun"]) == ("default", None, None, False)  # fmt: skip
        (proxy,) = seen[f"{DEFAULT}/pods/web/proxy/a%20path/?x=1"]
        assert proxy["object"] == {"kind": "PodProxyOptions", "apiVersion": "v1", "path": "/a path/"}
        (scale,) = seen["/apis/apps/v1/namespaces/default/deployments/web/scale"]
        assert (scale["object"]["kind"], scale["object"]["spec"], scale["oldObject"]["spec"]) == ("Scale", {"replicas": 2}, {"replicas": 1})  # fmt: skip
        (finalize,) = seen[f"{CORE}/namespaces/other/finalize"]
        assert (finalize["object"]["metadata"]["name"], finalize["oldObject"]["kind"]) == (
            "other",
            "Namespace",
        )


async def test_what_a_webhook_warns_of_a_connection_is_in_the_answer(
    pki: Pki, served: Served, admin: aiohttp.ClientSession
) -> None:
    """Also where the connection then cannot be made: the service here has no endpoints."""
    async with web_server(pki) as server:
        await _given(admin)
        registration = "/apis/admissionregistration.k8s.io/v1"
        body = {"metadata": {"name": "hooks"}, "webhooks": [_hook(pki, server)]}
        assert (await _ask(admin, Case("POST", f"{registration}/validatingwebhookconfigurations", body, None)))[0] == 201  # fmt: skip
        await served.core.feed.fresh()
        server.answer = lambda _path, review: {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": review["request"]["uid"], "allowed": True, "warnings": ["mind the gap"]},
        }
        async with admin.get(f"{DEFAULT}/services/web/proxy/") as answer:
            assert (answer.status, answer.headers.getall("Warning", [])) == (503, ['299 - "mind the gap"'])


async def test_policies_refuse_every_write_and_connection(
    served: Served, admin: aiohttp.ClientSession
) -> None:
    """Except for reviews: nobody could sign in else, or ask what they may do."""
    spec = {
        "matchConstraints": {"resourceRules": [EVERYTHING]},
        "validations": [{"expression": f"request.userInfo.username != '{ME}'", "message": "not you"}],
    }
    bound = {"policyName": "none", "validationActions": ["Deny"]}
    said = "ValidatingAdmissionPolicy 'none' with binding 'none' denied request: not you"
    await _given(admin)
    for case in CASES[3], CASES[5], CASES[21], CASES[23]:  # what others change
        assert (await _ask(admin, case))[0] == 201
    for plural, own in (("validatingadmissionpolicies", spec), ("validatingadmissionpolicybindings", bound)):
        path = f"/apis/admissionregistration.k8s.io/v1/{plural}"
        status, answer = await _ask(admin, Case("POST", path, {"metadata": {"name": "none"}, "spec": own}, None))  # fmt: skip
        assert status == 201, answer
    await served.core.feed.fresh()
    for case in CASES:
        status, answer = await _ask(admin, case)
        is_refused = status == 422 and said in answer["message"]
        assert is_refused == bool(case.heard and case.judged), (case, status, answer)
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/none"
    assert (await _ask(admin, Case("DELETE", path, None, None)))[0] == 200
