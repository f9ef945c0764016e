"""Definitions of custom resources and their objects, to the end of both."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.request import ObjectReply, Request
from apiserver.storage.interface import Outcome, Written
from tests.support.apiserver import ADMIN, RegistryBench, read
from tests.support.waiting import until

GROUP = "example.com"
PREFIX = f"/registry/{GROUP}/toys"
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"toys.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "toys", "kind": "Toy"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
    },
}  # fmt: skip
TOYS = "toys"


def toy(name: str, *finalizers: str, **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Toy",
        "metadata": {"name": name, "finalizers": list(finalizers), **meta},
    }


def about_toys(verb: str, obj: dict[str, Any]) -> Request:
    name = "" if verb == "create" else obj["metadata"]["name"]
    place = {"group": GROUP, "version": "v1", "resource": TOYS, "namespace": "default"}
    return Request(user=ADMIN, verb=verb, name=name, body=msgspec.json.encode(obj), **place)


async def defined(bench: RegistryBench) -> None:
    """Define toys, and wait until they are served."""
    await bench.create("customresourcedefinitions", DEFINITION)
    await until(lambda: bench.catalogue.stored(GROUP, TOYS))


async def made(bench: RegistryBench, obj: dict[str, Any]) -> ObjectReply:
    return await bench.registry.create(about_toys("create", obj))


async def withdrawn(bench: RegistryBench) -> None:
    """Delete the definition, and wait until it is gone."""
    await bench.delete("customresourcedefinitions", f"toys.{GROUP}")
    await until(lambda: bench.catalogue.stored(GROUP, TOYS) is None)


async def test_what_a_server_that_lags_stores_after_the_end_goes(
    bench: RegistryBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has seen neither the end of the definition nor that none is served; a new definition finds nothing of it."""
    await defined(bench)
    value = msgspec.json.encode(read(await made(bench, toy("a"))))
    delete = bench.storage.delete
    late: list[Outcome] = []

    async def delete_and_be_late(key: str, expected_revision: int, **more: Any) -> Outcome:
        outcome = await delete(key, expected_revision, **more)
        if key.endswith(f"/customresourcedefinitions/toys.{GROUP}"):
            late.append(await bench.storage.create(f"{PREFIX}/default/late", value))
        return outcome

    monkeypatch.setattr(bench.storage, "delete", delete_and_be_late)
    await withdrawn(bench)
    assert isinstance(late[0], Written)

    async def is_clean() -> bool:
        return not (await bench.storage.list(f"{PREFIX}/")).items

    await until(is_clean)


async def test_objects_that_stay_are_told_of(bench: RegistryBench) -> None:
    """A minute after a definition began to go it says that it could not see the last of them."""
    await defined(bench)
    await made(bench, toy("kept", "example.com/keep"))
    await bench.delete("customresourcedefinitions", f"toys.{GROUP}")

    async def reason() -> str:
        found = await bench.get("customresourcedefinitions", f"toys.{GROUP}")
        conditions = {each["type"]: each for each in found["status"]["conditions"]}
        return str((conditions.get("Terminating") or {}).get("reason", ""))

    async def is_told() -> bool:
        return await reason() == "InstanceDeletionFailed"

    await until(is_told)
    await bench.registry.update(about_toys("update", {**toy("kept"), "metadata": {**read(await _kept(bench))["metadata"], "finalizers": []}}))  # fmt: skip
    await until(lambda: bench.catalogue.stored(GROUP, TOYS) is None)


async def _kept(bench: RegistryBench) -> ObjectReply:
    return await bench.registry.get(about_toys("get", toy("kept")))


async def test_new_finalizers_without_a_domain_are_warned_of(bench: RegistryBench) -> None:
    """Once: whoever changes an object that has them hears nothing of it."""
    await defined(bench)
    created = await made(bench, toy("a", "mine", "example.com/mine"))
    told = "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers"
    assert created.warnings == (f'metadata.finalizers: "mine": {told}',)
    obj = read(created)
    obj["spec"] = {"a": 1}
    changed = await bench.registry.update(about_toys("update", obj))
    assert [each for each in changed.warnings if "finalizer" in each] == []
    obj = read(changed)
    obj["metadata"]["finalizers"].append("yours")
    more = await bench.registry.update(about_toys("update", obj))
    assert more.warnings == (f'metadata.finalizers: "yours": {told}',)
