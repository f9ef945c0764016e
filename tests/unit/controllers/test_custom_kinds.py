"""Kinds of custom resources come to the garbage collector and to the deletion of namespaces, and go, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from controllers import garbage_collector, namespace
from controllers.core.definitions import Condition, Definition, DefinitionSpec, DefinitionStatus, kind_of
from controllers.core.definitions import Names as DefinitionNames
from controllers.core.definitions import Version as DefinitionVersion
from machinery.model.errors import NotFound
from machinery.model.k8s.core_v1 import ConfigMap, Namespace
from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.model.requests import DeleteOptions
from machinery.model.resources import CONFIG_MAPS, NAMESPACES
from tests.support.controllers_cluster import Cluster, cluster_with
from tests.support.custom_resources import CRDS, GROUP, TOYS, Custom, definition, toy

LOOK_S = 1.0
NAME = f"toys.{GROUP}"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """A definition of toys, and controllers that have come to know them."""
    async with cluster_with("a", table=(garbage_collector.build, namespace.build)) as running:
        await running.clock.advance(LOOK_S)
        await running.user.create(CRDS, definition())
        await running.clock.advance(LOOK_S)
        yield running


async def owned(cluster: Cluster, owner: Custom, name: str = "owned", *, blocks: bool = False) -> None:
    reference = OwnerReference(
        apiVersion=owner.apiVersion,
        kind="Toy",
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        blockOwnerDeletion=blocks,
    )
    meta = ObjectMeta(name=name, namespace=owner.metadata.namespace, ownerReferences=[reference])
    await cluster.user.create(CONFIG_MAPS, ConfigMap(metadata=meta))


async def names(cluster: Cluster) -> list[str]:
    return [each.metadata.name for each in (await cluster.user.list(CONFIG_MAPS)).items]


async def test_what_a_custom_object_owns_goes_with_it(cluster: Cluster) -> None:
    """In the background, and with its definition."""
    for name in ("first", "second"):
        await owned(cluster, await cluster.user.create(TOYS, toy(name)), name)
    await cluster.clock.advance(LOOK_S)
    assert await names(cluster) == ["first", "second"]
    await cluster.user.delete(TOYS, "first", namespace="default")
    await cluster.clock.advance(LOOK_S)
    assert await names(cluster) == ["second"]
    await cluster.user.delete(CRDS, NAME)
    await cluster.clock.advance(10 * LOOK_S)
    assert await names(cluster) == []
    with pytest.raises(NotFound):
        await cluster.user.get(CRDS, NAME)


async def test_a_custom_object_waits_for_what_blocks_it(cluster: Cluster) -> None:
    """In the foreground its dependents go first."""
    await owned(cluster, await cluster.user.create(TOYS, toy()), blocks=True)
    await cluster.clock.advance(LOOK_S)
    await cluster.user.delete(
        TOYS, "t", namespace="default", options=DeleteOptions(propagation_policy="Foreground")
    )
    await cluster.clock.advance(LOOK_S)
    assert (await names(cluster), (await cluster.user.list(TOYS)).items) == ([], [])


async def test_a_custom_object_goes_with_its_owner_and_with_its_namespace(cluster: Cluster) -> None:
    """As every other object does."""
    await cluster.user.create(NAMESPACES, Namespace(metadata=ObjectMeta(name="leaving")))
    made = await cluster.user.create(
        CONFIG_MAPS, ConfigMap(metadata=ObjectMeta(name="o", namespace="default"))
    )
    reference = OwnerReference(apiVersion="v1", kind="ConfigMap", name="o", uid=made.metadata.uid)
    meta = ObjectMeta(name="owned", namespace="default", ownerReferences=[reference])
    await cluster.user.create(TOYS, msgspec.structs.replace(toy(), metadata=meta))
    there = ObjectMeta(name="there", namespace="leaving")
    await cluster.user.create(TOYS, msgspec.structs.replace(toy(), metadata=there))
    await cluster.user.delete(CONFIG_MAPS, "o", namespace="default")
    await cluster.user.delete(NAMESPACES, "leaving")
    await cluster.clock.advance(10 * LOOK_S)
    assert (await cluster.user.list(TOYS)).items == []
    with pytest.raises(NotFound):
        await cluster.user.get(NAMESPACES, "leaving")


@pytest.mark.parametrize(
    ("served", "established", "version"),
    [(("v1", "v2"), "True", "v2"), (("v1",), "True", "v1"), ((), "True", ""), (("v1", "v2"), "False", "")],
)
def test_a_kind_is_looked_at_in_a_version_that_is_served(
    served: tuple[str, ...], established: str, version: str
) -> None:
    """The one that is stored, if it is served; none before the definition is established."""
    versions = [
        DefinitionVersion(name=name, served=name in served, storage=name == "v2") for name in ("v1", "v2")
    ]
    made = Definition(
        spec=DefinitionSpec(group=GROUP, scope="Namespaced", versions=versions),
        status=DefinitionStatus(
            acceptedNames=DefinitionNames(plural="toys", kind="Toy"),
            conditions=[Condition(type="Established", status=established)],
        ),
    )
    kind = kind_of(made)
    assert (kind.version if kind else "") == version
