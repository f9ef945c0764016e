"""What objects are refused for, at the REST door: the status says what the tables say, cause by cause."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from apiserver.core.kind import Kind
from tests.support.refusals import TABLES, Refusal, read_table, sent
from tests.support.served_kinds import KINDS

ADMITTED_FIRST = (
    0.1  # of the objects are refused by admission already: they name what is not there, or lack what it adds
)

_ALLOCATED = ("spec.healthCheckNodePort: Required", "spec.healthCheckNodePort: Invalid value: 70000")

CREATED = [
    refusal
    for table in TABLES
    for refusal in read_table(table.read_text())
    if refusal.action == "created"
    and not any(path == "metadata.generateName" for path, _ in refusal.changes)
    and not any(cause.startswith(_ALLOCATED) for cause in refusal.causes)
]
"""All but those whose words hold a name that is drawn, and those of ports, which are given or refused before."""


def collection(kind: Kind) -> str:
    """Return the path of a kind's objects in the namespace `default`."""
    group = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
    return f"{group}/namespaces/default/{kind.plural}" if kind.namespaced else f"{group}/{kind.plural}"


def told(status: dict[str, Any]) -> list[str]:
    """Return the causes of a status, as the tables have them."""
    causes = (status.get("details") or {}).get("causes") or ()
    return [f"{cause.get('field', '')}: {cause['message']}" for cause in causes]


async def test_what_is_refused_is_refused_at_the_door(admin: aiohttp.ClientSession) -> None:
    """With a 422 that names all of it; what admission is faster to refuse is forbidden. Nothing is stored."""
    account = {"metadata": {"name": "default"}}
    async with admin.post("/api/v1/namespaces/default/serviceaccounts", json=account) as response:
        assert response.status == 201
    differing: list[tuple[Refusal, list[str]]] = []
    forbidden = 0
    for refusal in CREATED:
        async with admin.post(collection(KINDS[refusal.kind]), json=sent(refusal)) as response:
            status = await response.json()
        if response.status == 403:
            forbidden += 1
        elif response.status != 422 or told(status) != list(refusal.causes):
            differing.append((refusal, told(status) or [status.get("message", "stored")]))
    assert differing == []
    assert forbidden < ADMITTED_FIRST * len(CREATED)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.group_resource)
async def test_every_kind_is_among_them(kind: Kind) -> None:
    """So that what is said above is said of all."""
    if kind.kind != "ServiceAccount":  # which is never wrong
        assert any(refusal.kind == kind.kind for refusal in CREATED)
