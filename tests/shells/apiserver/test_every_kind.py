"""Every kind that is served has the verbs and subresources that discovery lists, at the REST door."""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import pytest

from apiserver.core.kind import Kind
from apiserver.core.kinds import KINDS
from tests.support.rest_door import KUBECTL_TABLE
from tests.support.served_kinds import example

EVERY: Final = [kind for kind in KINDS.values() if kind.kind != "CustomResourceDefinition"]
"""All but one, which the apiserver acts on at once: it has tests of its own."""
MERGE = {"Content-Type": "application/merge-patch+json"}


def place(kind: Kind) -> str:
    """Return the path of a kind's objects in the namespace `default`."""
    group = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
    return f"{group}/namespaces/default/{kind.plural}" if kind.namespaced else f"{group}/{kind.plural}"


async def call(session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> Any:
    """Return what a request that is granted is answered with."""
    async with session.request(method, path, **options) as response:
        body = await response.json()
        assert response.status in {200, 201}, body
        return body


@pytest.fixture
async def account(admin: aiohttp.ClientSession) -> None:
    """Make the service account that pods have."""
    path = "/api/v1/namespaces/default/serviceaccounts"
    await call(admin, "POST", path, json={"metadata": {"name": "default"}})


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.group_resource)
async def test_a_kind_has_its_verbs(admin: aiohttp.ClientSession, kind: Kind) -> None:
    """Create, get, list as a table, patch, replace, watch, delete: one object, and all."""
    path = place(kind)
    made = await call(admin, "POST", path, json=example(kind))
    name = example(kind)["metadata"]["name"]
    assert (made["apiVersion"], made["kind"], made["metadata"]["name"]) == (kind.api_version, kind.kind, name)
    one = f"{path}/{name}"
    assert await call(admin, "GET", one) == made
    table = await call(admin, "GET", path, headers={"Accept": KUBECTL_TABLE})
    assert table["kind"] == "Table"
    assert name in {row["object"]["metadata"]["name"] for row in table["rows"]}
    patch = {"metadata": {"annotations": {"a": "b"}, "finalizers": None}}  # nobody is there to take them away
    patched = await call(admin, "PATCH", one, json=patch, headers=MERGE)
    assert patched["metadata"]["annotations"]["a"] == "b"
    patched["metadata"]["annotations"]["a"] = "c"
    replaced = await call(admin, "PUT", one, json=patched)
    assert replaced["metadata"]["annotations"]["a"] == "c"
    revision = made["metadata"]["resourceVersion"]
    async with admin.get(f"{path}?watch=true&timeoutSeconds=1&resourceVersion={revision}") as stream:
        line = await stream.content.readline()
    assert b'"type":"MODIFIED"' in line
    await call(admin, "DELETE", f"{one}?propagationPolicy=Background")
    if "deletecollection" in kind.verbs:
        await call(admin, "POST", path, json=example(kind))
        await call(admin, "DELETE", f"{path}?fieldSelector=metadata.name={name}")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    "kind", [kind for kind in EVERY if kind.has_status], ids=lambda kind: kind.group_resource
)
async def test_a_status_is_written_apart_from_the_rest(admin: aiohttp.ClientSession, kind: Kind) -> None:
    """What is said of the status beside the rest is left out, and the other way round."""
    path = place(kind)
    await call(admin, "POST", path, json=example(kind))
    patch = {"metadata": {"labels": {"a": "b"}}, "status": {"conditions": None}}
    status = f"{path}/{example(kind)['metadata']['name']}/status"
    written = await call(admin, "PATCH", status, json=patch, headers=MERGE)
    assert await call(admin, "GET", status) == written
    assert (await call(admin, "PUT", status, json=written))["kind"] == kind.kind


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS.values() if "scale" in kind.subresources],
    ids=lambda kind: kind.group_resource,
)
async def test_what_has_replicas_is_scaled(admin: aiohttp.ClientSession, kind: Kind) -> None:
    """Through a Scale, by which autoscalers and `kubectl scale` work."""
    path = f"{place(kind)}/x"
    await call(admin, "POST", place(kind), json=example(kind))
    scale = await call(admin, "GET", f"{path}/scale")
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 1)
    scale["spec"]["replicas"] = 3
    assert (await call(admin, "PUT", f"{path}/scale", json=scale))["spec"] == {"replicas": 3}
    patched = await call(admin, "PATCH", f"{path}/scale", json={"spec": {"replicas": 2}}, headers=MERGE)
    assert patched["spec"] == {"replicas": 2}
    assert (await call(admin, "GET", path))["spec"]["replicas"] == 2
