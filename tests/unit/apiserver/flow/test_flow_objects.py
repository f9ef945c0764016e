"""FlowSchemas and PriorityLevelConfigurations take effect when they are written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

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
    """By their uids, at the REST door; those of paths that are no resource say nothing."""
    level = await write(bench, "prioritylevelconfigurations", LEVEL)
    schema = await write(bench, "flowschemas", SCHEMA)
    bench.core.gate.admit = _everything  # type: ignore[method-assign]
    async with both_doors(bench) as doors:
        doors.caller.user = JANE
        path = "/api/v1/namespaces/default/configmaps"
        reply = await doors.door.answer(
            HttpRequest("GET", path, CIMultiDictProxy(CIMultiDict()), Peer("jane"), b"")
        )
    headers = dict(reply.headers)
    assert headers["X-Kubernetes-Pf-Flowschema-Uid"] == schema["metadata"]["uid"]
    assert headers["X-Kubernetes-Pf-Prioritylevel-Uid"] == level["metadata"]["uid"]


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
