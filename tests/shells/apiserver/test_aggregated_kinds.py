"""What an extension server serves, as components ask for it: over the gRPC door, and by the controllers that look at every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from controllers import app as controllers
from controllers.core.controller import Settings
from controllers.core.kinds import KINDS
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.model.errors import AlreadyExists, Forbidden, NotFound, Unavailable
from machinery.model.k8s.core_v1 import ConfigMap, Namespace, Service, ServicePort, ServiceSpec
from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.model.k8s.rbac_v1 import ClusterRoleBinding, RoleRef, Subject
from machinery.model.log import SILENT
from machinery.model.profile import intervals
from machinery.model.requests import EventType, Selection
from machinery.model.resources import CLUSTER_ROLE_BINDINGS, CONFIG_MAPS, NAMESPACES, SERVICES, Resource
from machinery.process import published_schemas
from machinery.process.clock import WALL
from tests.support.apiserver import Served, serving
from tests.support.certificate_requests import sign_anything
from tests.support.custom_resources import Custom
from tests.support.extension import (
    API_SERVICES,
    NAME,
    ExtensionServer,
    api_service,
    extension_server,
    front_proxy,
    lead_to,
)
from tests.support.extension_server import GROUP, VERSION
from tests.support.waiting import until

RBAC = "rbac.authorization.k8s.io"
FLUNDERS: Resource[Custom] = Resource(GROUP, VERSION, "flunders", "Flunder", namespaced=True, type=Custom)


@pytest.fixture
async def served(pki: Pki) -> AsyncIterator[Served]:
    """An apiserver that passes requests on under its own certificate."""
    async with serving(pki, **front_proxy(pki)) as running:
        yield running


@pytest.fixture
async def api(served: Served) -> AsyncIterator[Api]:
    """The admin's connection to the gRPC door."""
    connection = served.connect("grpc")
    yield connection
    await connection.aclose()


@pytest.fixture
def extension(served: Served) -> Iterator[ExtensionServer]:
    """An extension server that is not started yet."""
    with extension_server(f"https://{served.config.rest_listen[0]}", served.pki) as server:
        yield server


async def registered(served: Served, api: Api, extension: ExtensionServer) -> None:
    """Have the server started, and led to."""
    await served.core.bootstrap.run()
    subject = Subject(apiGroup=RBAC, kind="User", name="wardle")
    role = RoleRef(apiGroup=RBAC, kind="ClusterRole", name="cluster-admin")
    await api.create(
        CLUSTER_ROLE_BINDINGS,
        ClusterRoleBinding(metadata=ObjectMeta(name="wardle"), roleRef=role, subjects=[subject]),
    )
    await until(lambda: served.core.aggregation.registration.problem() == "")
    await asyncio.to_thread(extension.start)
    port = ServicePort(name="api", port=443)
    meta = ObjectMeta(name="wardle", namespace="default")
    await api.create(SERVICES, Service(metadata=meta, spec=ServiceSpec(ports=[port])))
    await lead_to(served, extension.port)
    await api.create(API_SERVICES, api_service(served.pki))
    await available(api, is_wanted=True)


async def available(api: Api, *, is_wanted: bool) -> None:
    """Wait for the condition Available."""

    async def look() -> bool:
        conditions = (await api.get(API_SERVICES, NAME)).status.get("conditions") or [{}]
        return conditions[0].get("status") == str(is_wanted)

    await until(look)


def flunder(name: str, namespace: str = "default", **meta: Any) -> Custom:
    """Return an object of the server's kind."""
    return Custom(
        apiVersion=f"{GROUP}/{VERSION}",
        kind="Flunder",
        metadata=ObjectMeta(name=name, namespace=namespace, **meta),
        spec={"reference": name},
    )


async def test_components_ask_a_server_over_their_own_door(
    served: Served, api: Api, extension: ExtensionServer
) -> None:
    """Every verb and a watch, its errors, and who may not; what is away is unavailable."""
    await registered(served, api, extension)
    found = {each.name: each for each in await api.discover(GROUP, VERSION)}
    assert (found["flunders"].kind, found["flunders"].namespaced) == ("Flunder", True)
    made = await api.create(FLUNDERS, flunder("a"))
    assert made.metadata.uid
    assert (await api.get(FLUNDERS, "a", namespace="default")).spec == {"reference": "a"}
    with pytest.raises(AlreadyExists):
        await api.create(FLUNDERS, flunder("a"))
    with pytest.raises(NotFound):
        await api.get(FLUNDERS, "b", namespace="default")
    listing = await api.list(FLUNDERS)
    assert ([each.metadata.name for each in listing.items], listing.revision) == (["a"], 1)
    async with aclosing(api.watch(FLUNDERS, resource_version="1")) as watch:  # type: ignore[type-var]  # a generator
        assert await anext(watch) == []
        await api.create(FLUNDERS, flunder("c"))
        (event,) = await asyncio.wait_for(anext(watch), 60)
        assert (event.type, event.object.metadata.name, event.revision) == (EventType.ADDED, "c", 2)
    await api.delete(FLUNDERS, "a", namespace="default")
    await api.delete_collection(FLUNDERS, Selection("default"))
    assert (await api.list(FLUNDERS)).items == []

    nobody = served.connect("grpc", "nobody")
    with pytest.raises(Forbidden, match='cannot list resource "flunders"'):
        await nobody.list(FLUNDERS)
    await nobody.aclose()
    extension.kill()
    with pytest.raises(Unavailable, match="connection refused"):
        await api.list(FLUNDERS)
    served.core.aggregation.upkeep.look_now(NAME)
    await available(api, is_wanted=False)
    with pytest.raises(Unavailable, match="service unavailable"):
        await api.discover(GROUP, VERSION)


@asynccontextmanager
async def controlling(served: Served) -> AsyncIterator[None]:
    """Run the controllers."""
    api = served.connect("grpc")
    settings = Settings(
        intervals("fast"),
        KINDS,
        cluster_cidr="10.244.0.0/16",
        root_ca="PEM",
        sign_token=lambda _claims: "token",
        sign_certificate=sign_anything,
        published=published_schemas.document,
    )
    built = controllers.build(api, WALL, SILENT, settings, identity="controllers")
    running = asyncio.ensure_future(built.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await api.aclose()


async def test_owned_objects_are_collected_and_namespaces_emptied(
    served: Served, api: Api, extension: ExtensionServer
) -> None:
    """Of the server's kinds too; a namespace waits for a server that is away, and says so."""
    await registered(served, api, extension)
    await api.create(NAMESPACES, Namespace(metadata=ObjectMeta(name="going")))
    owner = await api.create(CONFIG_MAPS, ConfigMap(metadata=ObjectMeta(name="owner", namespace="default")))
    reference = OwnerReference(apiVersion="v1", kind="ConfigMap", name="owner", uid=owner.metadata.uid)
    await api.create(FLUNDERS, flunder("owned", ownerReferences=[reference]))
    await api.create(FLUNDERS, flunder("free"))
    await api.create(FLUNDERS, flunder("left", "going"))

    async def names() -> list[str]:
        return [each.metadata.name for each in (await api.list(FLUNDERS)).items]

    async with controlling(served):
        await api.delete(CONFIG_MAPS, "owner", namespace="default")

        async def is_collected() -> bool:
            return await names() == ["free", "left"]

        await until(is_collected, within_s=30)
        extension.kill()
        served.core.aggregation.upkeep.look_now(NAME)
        await available(api, is_wanted=False)
        await api.delete(NAMESPACES, "going")

        async def says_why() -> bool:
            conditions = (await api.get(NAMESPACES, "going")).status.conditions
            return any(
                each.type == "NamespaceDeletionDiscoveryFailure"
                and f"{GROUP}/{VERSION}: stale" in each.message
                for each in conditions
            )

        await until(says_why, within_s=30)
        await asyncio.to_thread(extension.start)  # with nothing in it
        served.core.aggregation.upkeep.look_now(NAME)

        async def is_gone() -> bool:
            try:
                await api.get(NAMESPACES, "going")
            except NotFound:
                return True
            return False

        await until(is_gone, within_s=30)
