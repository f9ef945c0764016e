"""FlowSchemas and PriorityLevelConfigurations take effect when they are written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver.core.flow.schemas import AskedPage
from apiserver.flow_control import current_flow
from apiserver.request import Request, UserInfo
from apiserver.rest.http_request import HttpRequest
from machinery.model.errors import TooManyRequests
from machinery.process.tls import Peer
from tests.support.apiserver import RegistryBench, read, running_registry
from tests.support.both_doors import both_doors

GROUP = "flowcontrol.apiserver.k8s.io"
JANE = UserInfo("jane", groups=("system:authenticated",))
SCHEMA: dict[str, Any] = {
    "metadata": {"name": "janes"},
    "spec": {
        "priorityLevelConfiguration": {"name": "mine"},
        "matchingPrecedence": 50,
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [
            {
                "subjects": [{"kind": "User", "user": {"name": "jane"}}],
                "resourceRules": [
                    {
                        "verbs": ["*"],
                        "apiGroups": ["*"],
                        "resources": ["*"],
                        "namespaces": ["*"],
                        "clusterScope": True,
                    }
                ],
            }
        ],
    },
}
LEVEL: dict[str, Any] = {
    "metadata": {"name": "mine"},
    "spec": {
        "type": "Limited",
        "limited": {
            "nominalConcurrencyShares": 0,
            "lendablePercent": 0,
            "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Reject"},
        },
    },
}


@pytest.fixture
async def bench() -> AsyncIterator[RegistryBench]:
    async with running_registry() as running:
        await running.core.bootstrap.run()
        yield running


async def write(bench: RegistryBench, resource: str, obj: dict[str, Any]) -> dict[str, Any]:
    request = bench.request("create", resource, namespace="", body=msgspec.json.encode(obj))
    made = read(await bench.registry.create(msgspec.structs.replace(request, group=GROUP, namespace="")))
    await bench.feed.fresh()
    return made


async def flow_of(bench: RegistryBench) -> str:
    """Return the schema of a request of jane's."""
    await bench.registry.list(Request(user=JANE, verb="list", resource="configmaps", namespace="default"))
    flow = current_flow.get()
    return flow.schema if flow is not None else ""


async def test_a_schema_takes_effect_with_its_level(bench: RegistryBench) -> None:
    """Without its level it matches nothing; a level without a queue refuses who finds no seat."""
    assert await flow_of(bench) == "global-default"
    await write(bench, "flowschemas", SCHEMA)
    assert await flow_of(bench) == "global-default"
    await write(bench, "prioritylevelconfigurations", LEVEL)
    assert await flow_of(bench) == "janes"
    flow = bench.core.registry.flow
    request = Request(user=JANE, verb="get", resource="configmaps", namespace="default", name="a")
    busy = flow.arrive(request)
    assert busy is not None
    with pytest.raises(TooManyRequests) as refused:
        flow.arrive(request)
    assert refused.value.retry_after_s == 1
    flow.leave(busy)


async def test_answers_say_which_schema_and_level_it_was(bench: RegistryBench) -> None:
    """By their uids, at the REST door; those of refusals too, since a request is classified before it is authorized."""
    level = await write(bench, "prioritylevelconfigurations", LEVEL)
    schema = await write(bench, "flowschemas", SCHEMA)
    uids = (schema["metadata"]["uid"], level["metadata"]["uid"])
    async with both_doors(bench) as doors:
        doors.caller.user = JANE

        async def asked(path: str) -> tuple[int, tuple[str, ...]]:
            http = HttpRequest("GET", path, CIMultiDictProxy(CIMultiDict()), Peer("jane"), b"")
            reply = await doors.door.answer(http)
            headers = dict(reply.headers)
            return reply.status, tuple(
                headers.get(f"X-Kubernetes-Pf-{name}-Uid", "") for name in ("Flowschema", "Prioritylevel")
            )

        path = "/api/v1/namespaces/default/configmaps"
        assert await asked(path) == (403, uids)
        assert (await asked("/metrics"))[0] == 403
        assert all((await asked("/metrics"))[1])
        bench.core.gate.admit = _everything  # type: ignore[method-assign]
        assert await asked(path) == (200, uids)


async def test_pages_belong_to_a_schema_as_well(bench: RegistryBench) -> None:
    """Discovery to that of its caller, health to one that is exempt, by which the uids of an answer are."""
    flow = bench.core.registry.flow
    expected = {"/api": "global-default", "/healthz": "probes", "/healthz/etcd": "global-default"}
    for path, schema in expected.items():
        async with flow.seated(AskedPage("get", path), JANE):
            found = current_flow.get()
        assert found is not None
        assert (found.schema, len(found.headers)) == (schema, 2)


async def changed(bench: RegistryBench, name: str, **meta: Any) -> None:
    """Write another precedence into a schema."""
    made = await schema_of(bench, name)
    spec = {**made["spec"], "matchingPrecedence": 5_000}
    body = {**made, "spec": spec, "metadata": {**made["metadata"], **meta}}
    request = bench.request("update", "flowschemas", name, namespace="", body=msgspec.json.encode(body))
    await bench.registry.update(msgspec.structs.replace(request, group=GROUP, namespace=""))
    await bench.feed.fresh()


async def schema_of(bench: RegistryBench, name: str) -> dict[str, Any]:
    request = bench.request("get", "flowschemas", name, namespace="")
    return read(await bench.registry.get(msgspec.structs.replace(request, group=GROUP, namespace="")))


async def test_what_is_suggested_is_upheld_unless_it_is_the_operators(bench: RegistryBench) -> None:
    """While the server runs; the annotation says whose it is, and where it is missing a change of the spec does."""
    annotation = "apf.kubernetes.io/autoupdate-spec"
    await changed(bench, "service-accounts")
    await changed(bench, "system-nodes", annotations={annotation: "false"})
    await changed(bench, "kube-scheduler", annotations={})
    request = bench.request("delete", "flowschemas", "global-default", namespace="")
    await bench.registry.delete(msgspec.structs.replace(request, group=GROUP, namespace=""))
    await bench.feed.fresh()
    await bench.core.bootstrap.uphold_flows()
    names = ("service-accounts", "system-nodes", "kube-scheduler", "global-default")
    found = [(await schema_of(bench, name))["spec"]["matchingPrecedence"] for name in names]
    assert found == [9_000, 5_000, 5_000, 9_900]


async def test_a_schema_is_told_that_its_level_is_not_there(bench: RegistryBench) -> None:
    """In its condition, and again when it is there."""
    await write(bench, "flowschemas", SCHEMA)
    for status in ("True", "False"):
        await bench.core.flow_objects.write_conditions(bench.registry)
        request = bench.request("get", "flowschemas", "janes", namespace="")
        found = read(await bench.registry.get(msgspec.structs.replace(request, group=GROUP, namespace="")))
        [condition] = found["status"]["conditions"]
        assert (condition["type"], condition["status"]) == ("Dangling", status)
        if status == "True":
            await write(bench, "prioritylevelconfigurations", LEVEL)


async def _everything(_request: Request) -> None:
    """Admit everybody."""
