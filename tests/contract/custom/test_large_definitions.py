"""Definitions of the size and the features of those that well-known software brings: served, explained, validated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubarium.identity.pki import Pki
from machinery.client.api import Api
from tests.support import large_definitions
from tests.support.apiserver import Served, serving
from tests.support.custom_resources import Rest, established, gone, rest_session
from tests.support.loop_steps import Steps, measured_steps

Json = dict[str, Any]

ROLLOUT = {
    "selector": {"matchLabels": {"app": "web"}},
    "template": {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "web:1",
                    "ports": [{"containerPort": 80}],
                    "resources": {"limits": {"cpu": 1, "memory": "64Mi"}},
                }
            ]
        },
    },
    "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "1h"}}]}},
}
CERTIFICATE = {"secretName": "tls", "issuerRef": {"name": "ca"}, "dnsNames": ["a.example.com"]}
MONITOR = {
    "replicas": 2,
    "storage": {
        "volumeClaimTemplate": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data"},
            "spec": {"resources": {"requests": {"storage": "1Gi"}}},
        }
    },
    "endpoints": [{"port": "web", "interval": "30s", "relabelings": [{"sourceLabels": ["a"]}]}],
}


@pytest.fixture
async def served(pki: Pki) -> AsyncIterator[Served]:
    """An apiserver on a store in memory."""
    async with serving(pki) as running:
        yield running


@pytest.fixture
async def rest(served: Served) -> AsyncIterator[Rest]:
    """The admin's HTTP session."""
    async with rest_session(served) as session:
        yield session


@pytest.fixture
async def api(served: Served) -> AsyncIterator[Api]:
    """The admin's connection over gRPC."""
    connection = served.connect("grpc")
    yield connection
    await connection.aclose()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Any:
    """How long the event loop is kept."""
    with measured_steps(monkeypatch) as found:
        yield found


def path_of(made: Json, version: str = "", name: str = "") -> str:
    spec = made["spec"]
    version = version or spec["versions"][0]["name"]
    return f"/apis/{spec['group']}/{version}/namespaces/default/{spec['names']['plural']}{name}"


def obj(made: Json, spec: Json, name: str = "x", version: str = "") -> Json:
    version = version or made["spec"]["versions"][0]["name"]
    api_version = f"{made['spec']['group']}/{version}"
    kind = made["spec"]["names"]["kind"]
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


CASES: list[tuple[Json, Json, Json, Json, list[str]]] = [
    (
        large_definitions.rollouts(),
        ROLLOUT,
        {"replicas": 1, "revisionHistoryLimit": 10},
        {
            **ROLLOUT,
            "template": {"spec": {"containers": [{"image": 5, "name": "a", "ports": [{"containerPort": 80}] * 2}]}},
            "strategy": {"canary": {"steps": [{"setWeight": 1, "pause": {}}]}, "blueGreen": {}},
        },
        ["spec.template.spec.containers[0].image", "spec.template.spec.containers[0].ports[1]", "<nil>"],
    ),
    (
        large_definitions.certificates(),
        {**CERTIFICATE, "privateKey": {"size": 4096}},
        {"issuerRef": {"name": "ca", "kind": "Issuer"}},
        {"secretName": "s", "issuerRef": {"name": "ca"}, "privateKey": {"algorithm": "ECDSA", "size": 2048}, "duration": "1h", "renewBefore": "2h"},
        ["spec", "spec", "spec.privateKey.size"],
    ),
    (
        large_definitions.monitors(),
        MONITOR,
        {"shards": 1, "scrapeInterval": "30s"},
        {"replicas": 2000, "shards": 2, "endpoints": [{"interval": "soon"}], "containers": [{"name": "a"}, {"name": "a"}]},
        ["spec.endpoints[0].interval", "spec.containers[1]", "spec"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("made", "spec", "defaults", "bad", "fields"), CASES, ids=lambda case: case["metadata"]["name"] if isinstance(case, dict) and "metadata" in case else ""
)  # fmt: skip
async def test_a_large_definition(
    rest: Rest, api: Api, steps: Steps, made: Json, spec: Json, defaults: Json, bad: Json, fields: list[str]
) -> None:
    """Applied, served, explained, its objects defaulted and validated; the event loop is never kept for long."""
    status, answer = await rest("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=made)
    assert status == 201, answer
    await established(api, made["metadata"]["name"])
    status, stored = await rest("POST", path_of(made), json=obj(made, spec))
    assert status == 201, stored
    assert {name: stored["spec"][name] for name in defaults} == defaults
    status, error = await rest("POST", path_of(made), json=obj(made, bad, "bad"))
    assert (status, [each["field"] for each in error["details"]["causes"]]) == (422, fields), error["message"]
    version = made["spec"]["versions"][0]["name"]
    _, document = await rest("GET", f"/openapi/v3/apis/{made['spec']['group']}/{version}")
    [described] = [
        each
        for name, each in document["components"]["schemas"].items()
        if name.endswith(made["spec"]["names"]["kind"])
    ]
    assert set(described["properties"]["spec"]["properties"]) >= set(defaults)
    patch = {"Content-Type": "application/merge-patch+json"}
    status, changed = await rest(
        "PATCH", path_of(made, name="/x"), json={"metadata": {"labels": {"a": "b"}}}, headers=patch
    )
    assert (status, changed["metadata"]["labels"]) == (200, {"a": "b"})
    steps.check(made["metadata"]["name"])
    await rest(
        "DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{made['metadata']['name']}"
    )
    await gone(api, made["metadata"]["name"])


async def test_objects_are_read_in_both_versions_and_an_old_one_warns(rest: Rest, api: Api) -> None:
    """Of one storage; a selectable field selects, a transition rule holds."""
    made = large_definitions.certificates()
    await rest("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=made)
    await established(api, made["metadata"]["name"])
    old = obj(made, CERTIFICATE, "old", "v1beta1")
    async with rest.session.post(path_of(made, "v1beta1"), json=old) as response:
        assert response.status == 201
        assert response.headers["Warning"] == '299 - "certificates v1beta1 is old; use v1"'
    _, listed = await rest("GET", f"{path_of(made)}?fieldSelector=spec.issuerRef.name%3Dca")
    assert [(each["apiVersion"], each["metadata"]["name"]) for each in listed["items"]] == [
        ("certs.example.com/v1", "old")
    ]
    _, listed = await rest("GET", f"{path_of(made)}?fieldSelector=spec.issuerRef.name%3Dother")
    assert listed["items"] == []
    made = large_definitions.rollouts()
    await rest("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=made)
    await established(api, made["metadata"]["name"])
    await rest("POST", path_of(made), json=obj(made, ROLLOUT))
    patch = {"Content-Type": "application/merge-patch+json"}
    changed = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
    status, error = await rest("PATCH", path_of(made, name="/x"), json=changed, headers=patch)
    assert (status, [each["field"] for each in error["details"]["causes"]]) == (422, ["spec.selector"])
    status, scale = await rest(
        "PATCH", path_of(made, name="/x/scale"), json={"spec": {"replicas": 3}}, headers=patch
    )
    assert (status, scale["spec"]) == (200, {"replicas": 3})
