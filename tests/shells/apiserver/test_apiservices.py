"""APIServices of what an apiserver serves itself, and what extension servers are told: on real etcd, by several apiservers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from apiserver.core.aggregation.registration import AUTOMANAGED
from apiserver.core.values import Json
from apiserver.storage.etcd import EtcdStorage
from kubarium.core.components import FRONT_PROXY
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.model.errors import NotFound
from machinery.model.resources import CONFIG_MAPS, Resource
from tests.support import custom_resources as custom
from tests.support.apiserver import Served, serving
from tests.support.custom_resources import Custom
from tests.support.etcd_server import etcd_server
from tests.support.requirements import need
from tests.support.waiting import until

API_SERVICES: Resource[Custom] = Resource(
    "apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False, type=Custom
)
TOYS = f"v1.{custom.GROUP}"


@pytest.fixture
async def several(pki: Pki) -> AsyncIterator[list[Served]]:
    """Two apiservers that begin together on an empty etcd."""
    need("etcd")
    pki.ensure(FRONT_PROXY)
    front = {
        "proxy_client_cert_file": str(pki.certificate(FRONT_PROXY.name)),
        "proxy_client_key_file": str(pki.key(FRONT_PROXY.name)),
        "requestheader_client_ca_file": str(pki.certificate(FRONT_PROXY.authority)),
        "requestheader_allowed_names": (FRONT_PROXY.common_name,),
    }
    with etcd_server() as etcd:
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(
                    serving(
                        pki,
                        EtcdStorage([etcd.address]),
                        name=f"apiserver-{number}",
                        advertise_address=f"10.77.0.{number}",
                        **front,
                    )
                )
                for number in (1, 2)
            ]


async def shown(api: Api, wanted: Callable[[dict[str, Custom]], Any]) -> dict[str, Custom]:
    """Return the APIServices by name, once they are as they are wanted."""
    found: dict[str, Custom] = {}

    async def look() -> bool:
        found.clear()
        found.update({each.metadata.name: each for each in (await api.list(API_SERVICES)).items})
        return bool(wanted(found))

    await until(look)
    return found


METRICS = "v1beta1.metrics.k8s.io"


async def test_apiservers_register_what_they_serve(several: list[Served]) -> None:
    """Built-in versions from the start, those of definitions as they come and go; each apiserver sees the same ones."""
    first, second = (each.connect("grpc") for each in several)
    found = await shown(
        first, lambda them: len(them) == 22 and all(each.status.get("conditions") for each in them.values())
    )
    assert {name: (each.metadata.labels[AUTOMANAGED], each.spec["groupPriorityMinimum"]) for name, each in found.items()
            if name in {"v1.", "v1.apps", "v2.autoscaling"}} == {
        "v1.": ("onstart", 18_000),
        "v1.apps": ("onstart", 17_800),
        "v2.autoscaling": ("onstart", 17_500),
    }  # fmt: skip
    for each in found.values():
        (condition,) = each.status["conditions"]
        del condition["lastTransitionTime"]
        assert condition == {
            "type": "Available",
            "status": "True",
            "reason": "Local",
            "message": "Local APIServices are always available",
        }
    await until(lambda: not any(each.process.health.problems() for each in several))

    await custom.apply(first, custom.definition())
    toys = (await shown(second, lambda them: TOYS in them))[TOYS]
    assert toys.metadata.labels == {AUTOMANAGED: "true"}
    assert toys.spec == {
        "group": custom.GROUP,
        "version": "v1",
        "groupPriorityMinimum": 1000,
        "versionPriority": 100,
    }
    await first.delete(API_SERVICES, TOYS)
    await shown(second, lambda them: TOYS in them and them[TOYS].metadata.uid != toys.metadata.uid)
    await first.patch(API_SERVICES, TOYS, {"spec": {"versionPriority": 3}})
    await shown(second, lambda them: them[TOYS].spec["versionPriority"] == 100)
    await first.delete(custom.CRDS, f"toys.{custom.GROUP}")
    await shown(second, lambda them: TOYS not in them)

    await first.delete(API_SERVICES, METRICS)  # there as long as nobody else serves them
    own = (await shown(second, lambda them: METRICS in them))[METRICS]
    assert (own.metadata.labels, own.spec.get("service")) == ({}, None)
    elsewhere = {"service": {"name": "metrics-server", "namespace": "kube-system"}}
    await first.patch(API_SERVICES, METRICS, {"spec": elsewhere})
    await shown(second, lambda them: them[METRICS].status["conditions"][0]["reason"] == "ServiceNotFound")
    await first.delete(API_SERVICES, METRICS)
    await shown(second, lambda them: METRICS in them and not them[METRICS].spec.get("service"))

    await first.delete(API_SERVICES, "v1.apps")  # somebody else's business, until an apiserver starts again
    with pytest.raises(NotFound):
        await second.get(API_SERVICES, "v1.apps")
    for api in (first, second):
        await api.aclose()


async def test_extension_servers_are_told_whom_to_believe(several: list[Served], pki: Pki) -> None:
    """What somebody takes out of the ConfigMap comes back; what they add to its lists stays."""
    api = several[0].connect("grpc")

    async def told() -> Json:
        try:
            return (
                await api.get(CONFIG_MAPS, "extension-apiserver-authentication", namespace="kube-system")
            ).data
        except NotFound:
            return {}

    async def is_whole() -> bool:
        return len(await told()) == 7

    await until(is_whole)
    data = await told()
    assert data["client-ca-file"] == pki.certificate("ca").read_text()
    assert data["requestheader-client-ca-file"] == pki.certificate("front-proxy-ca").read_text()
    assert data["requestheader-allowed-names"] == '["front-proxy-client"]'

    changed = {"requestheader-allowed-names": '["mine"]', "client-ca-file": None}
    await api.patch(
        CONFIG_MAPS, "extension-apiserver-authentication", {"data": changed}, namespace="kube-system"
    )

    async def is_back() -> bool:
        now = await told()
        both = now.get("requestheader-allowed-names") == '["mine","front-proxy-client"]'
        return both and now.get("client-ca-file") == data["client-ca-file"]

    await until(is_back)
    await api.aclose()
