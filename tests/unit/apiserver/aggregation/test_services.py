"""Which APIServices lead to other servers, as their cache changes."""

from __future__ import annotations

from typing import Any

import msgspec

from apiserver.aggregation.services import ApiServices
from apiserver.objects import CachedObject
from machinery.model.log import SILENT


def cached(name: str, **spec: Any) -> CachedObject:
    """Return an APIService as the cache has it."""
    version, _, group = name.partition(".")
    obj = {"metadata": {"name": name, "uid": "u"}, "spec": {"group": group, "version": version, **spec}}
    return CachedObject(name, msgspec.json.encode(obj), 1, "u", {}, {})


REMOTE: dict[str, Any] = {"service": {"namespace": "default", "name": "web"}}


def test_those_with_a_service_lead_elsewhere() -> None:
    """As long as they have one; that of APIServices themselves never does, so that nobody locks themselves out."""
    services = ApiServices(SILENT)
    told: list[str] = []
    services.subscribe(told.append)
    own = cached("v1.apiregistration.k8s.io", **REMOTE)
    services.replaced([cached("v1.apps"), cached("v1.example.com", **REMOTE), own])
    assert list(services.remote) == [("example.com", "v1")]
    services.changed(cached("v1.apps"), cached("v1.apps", **REMOTE))
    services.changed(cached("v1.example.com", **REMOTE), cached("v1.example.com"))
    assert list(services.remote) == [("apps", "v1")]
    told.clear()
    services.replaced([cached("v1.example.com")])
    assert sorted(told) == ["v1.apiregistration.k8s.io", "v1.apps", "v1.example.com"]
    assert not services.remote
    assert set(services.names()) == {"v1.example.com"}


def test_what_is_no_apiservice_is_not_there() -> None:
    """Another program has written it."""
    services = ApiServices(SILENT)
    services.replaced(
        [CachedObject("v1.a", b'{"metadata":{"name":7}}', 1, "", {}, {}), cached("v1.b", caBundle="?")]
    )
    assert list(services.names()) == []
    assert services.find("v1.a") is None
