"""Pages of the REST door that are no resource: health, metrics, the version, the configuration, debugging."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.support.apiserver import Served
from tests.support.waiting import until

STARTED = "poststarthook/rbac/bootstrap-roles"
ALL = ("ping", "etcd", "informer-sync", "autoregister-completion", STARTED)


async def got(session: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with session.get(path) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(("root", "more"), [("livez", ()), ("healthz", ()), ("readyz", ("shutdown",))])
async def test_health_is_told_check_by_check(
    admin: aiohttp.ClientSession, served: Served, root: str, more: tuple[str, ...]
):
    """In Kubernetes' form; what fails is named in the whole, and told where it is asked for alone."""
    await until(lambda: not served.process.health.problems())
    assert await got(admin, f"/{root}") == (200, "ok")
    whole = "".join(f"[+]{name} ok\n" for name in (*ALL, *more)) + f"{root} check passed\n"
    assert await got(admin, f"/{root}?verbose") == (200, whole)
    for name in (*ALL, *more):
        assert await got(admin, f"/{root}/{name}") == (200, "ok")
    assert (await got(admin, f"/{root}/nothing"))[0] == 404
    served.core.feed.problem = "etcd is away"
    status, text = await got(admin, f"/{root}")
    assert (status, "[-]etcd failed: reason withheld\n" in text) == (500, True)
    assert text.endswith(f"{root} check failed\n")
    assert await got(admin, f"/{root}/etcd") == (500, "internal server error: etcd is away\n")
    assert await got(admin, f"/{root}?exclude=etcd") == (200, "ok")
    _, text = await got(admin, f"/{root}?verbose&exclude=etcd,other&exclude=more")
    assert "[+]etcd excluded: ok\n" in text
    assert 'warn: some health checks cannot be excluded: no matches for "more","other"\n' in text


async def test_metrics_have_the_names_of_kube_apiserver(admin: aiohttp.ClientSession):
    """Requests, the store, the process."""
    secret = {"metadata": {"name": "a"}}
    async with admin.post("/api/v1/namespaces/default/secrets", json=secret) as response:
        assert response.status == 201
    async with admin.get("/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = (await response.text()).splitlines()
    place = 'component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource=""'
    assert f'apiserver_request_total{{code="201",{place},verb="POST",version="v1"}} 1' in lines
    created = '{group="",operation="create",resource="secrets"}'
    assert f"etcd_requests_total{created} 1" in lines
    assert f"etcd_request_duration_seconds_count{created} 1" in lines
    assert f"etcd_request_errors_total{created} 0" in lines
    assert 'apiserver_storage_objects{group="",resource="secrets"} 1' in lines
    found = {line.partition("{")[0].partition(" ")[0] for line in lines}
    assert {"process_cpu_seconds_total", "apiserver_current_inflight_requests"} <= found
    _, slis = await got(admin, "/metrics/slis")
    assert 'kubernetes_healthcheck{name="etcd",type="readyz"} 1' in slis


async def test_what_the_apiserver_was_told_and_what_waits_is_shown(
    admin: aiohttp.ClientSession, client: object
):
    """To those who may ask; what only a program in Go has says that it is not built."""
    async with admin.get("/configz") as response:
        assert (await response.json())["apiserver"]["max_requests_inflight"] == 60
    status, table = await got(admin, "/debug/api_priority_and_fairness/dump_priority_levels")
    assert (status, table.splitlines()[0].split(", ")[0]) == (200, "PriorityLevelName")
    for path in ("/debug/pprof/", "/debug/pprof/profile", "/logs", "/logs/kube-apiserver.log"):
        status, text = await got(admin, path)
        assert (status, "is not built" in text) == (501, True)
    async with admin.get("/version") as response:
        version = await response.json()
    assert (version["major"], version["minor"], version["emulationMinor"]) == ("1", "36", "36")
    assert version["gitVersion"].startswith("v1.36.")


async def test_people_get_json_that_can_be_read(admin: aiohttp.ClientSession):
    """Those whose program is one for people, unless they say otherwise."""
    path = "/api/v1/namespaces/default"
    for agent, query, is_pretty in (
        ("curl/8.1", "", True),
        ("curl/8.1", "?pretty=false", False),
        ("kubectl/v1.36.0", "", False),
        ("kubectl/v1.36.0", "?pretty=true", True),
    ):
        async with admin.get(path + query, headers={"User-Agent": agent}) as response:
            assert (await response.text()).startswith("{\n  ") is is_pretty


async def test_documents_are_kept_by_their_hash(admin: aiohttp.ClientSession):
    """For ever at the address that the index names; an old address leads to the new one; compressed once."""
    async with admin.get("/openapi/v3") as response:
        address = (await response.json())["paths"]["apis/apps/v1"]["serverRelativeURL"]
    path, _, tag = address.partition("?hash=")
    async with admin.get(address) as response:
        head, body = response.headers, await response.read()
    assert (head["Cache-Control"], head["ETag"]) == ("public, immutable", f'"{tag}"')
    assert head["Expires"].endswith(" GMT")
    async with admin.get(path, headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
        assert (response.headers["Cache-Control"], await response.read()) == ("no-cache, private", body)
    async with admin.get(f"{path}?hash=ABC", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (301, address)
    async with admin.get(path, headers={"If-None-Match": f'"{tag}"'}) as response:
        assert (response.status, await response.read()) == (304, b"")
    for page in ("api", "apis", "apis/apps", "version", ".well-known/openid-configuration", "openid/v1/jwks"):
        async with admin.get(f"/openapi/v3/{page}") as response:
            assert list((await response.json())["paths"]) == [f"/{page}/"]
    for missing in ("/openapi/v3/apis/none/v1", "/openapi/v3/logs", "/openapi/v4", "/openapi"):
        assert (await got(admin, missing))[0] == 404


async def test_a_document_says_in_which_forms_answers_come(admin: aiohttp.ClientSession):
    """JSON, YAML and protobuf of Kubernetes' own kinds; streams where a list can be watched; texts as texts."""
    async with admin.get("/openapi/v3/api/v1") as response:
        paths = (await response.json())["paths"]
    pods = paths["/api/v1/namespaces/{namespace}/pods"]
    answers = {method: set(pods[method]["responses"]["200"]["content"]) for method in ("get", "post")}
    protobuf = "application/vnd.kubernetes.protobuf"
    assert answers["post"] == {"application/json", "application/yaml", protobuf}
    assert answers["get"] - answers["post"] == {"application/json;stream=watch", f"{protobuf};stream=watch"}
    log = paths["/api/v1/namespaces/{namespace}/pods/{name}/log"]["get"]["responses"]["200"]
    assert set(log["content"]) == {"text/plain"}


async def test_what_is_deprecated_is_counted_when_it_is_asked_for(admin: aiohttp.ClientSession):
    """By the name of kube-apiserver's metric: ComponentStatuses, and no ConfigMap."""
    for plural in ("componentstatuses", "configmaps"):
        assert (await got(admin, f"/api/v1/{plural}"))[0] == 200
    _, text = await got(admin, "/metrics")
    found = [line for line in text.splitlines() if line.startswith("apiserver_requested_deprecated_apis{")]
    labels = 'group="",removed_release="",resource="componentstatuses",subresource="",version="v1"'
    assert found == [f"apiserver_requested_deprecated_apis{{{labels}}} 1"]


async def test_checks_are_counted_by_how_they_came_out(admin: aiohttp.ClientSession, served: Served):
    """One that fails in between is counted as that."""
    await until(lambda: not served.process.health.problems())
    assert (await got(admin, "/livez/etcd"))[0] == 200
    served.core.feed.problem = "etcd is away"
    assert (await got(admin, "/livez/etcd"))[0] == 500
    _, text = await got(admin, "/metrics/slis")
    for status in ("success", "error"):
        labels = f'name="etcd",status="{status}",type="livez"'
        assert f"kubernetes_healthchecks_total{{{labels}}} " in text


async def structured(admin: aiohttp.ClientSession, name: str, kind: str) -> dict[str, Any]:
    """Return a z-page in its structured form."""
    form = f"application/json;v=v1beta1;g=config.k8s.io;as={kind}"
    async with admin.get(f"/{name}", headers={"Accept": form}) as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json(content_type=None)
    about = {"kind": kind, "apiVersion": "config.k8s.io/v1beta1", "metadata": {"name": "kube-apiserver"}}
    assert about.items() <= found.items()
    return found


async def test_the_process_says_what_it_is(admin: aiohttp.ClientSession):
    """As text where nothing else is asked for; structured by the whole media type; JSON alone is refused."""
    status, text = await got(admin, "/statusz")
    assert (status, text.startswith("kube-apiserver statusz\n")) == (200, True)
    assert "Emulation version: 1.36\n" in text
    found = await structured(admin, "statusz", "Statusz")
    assert (found["emulationVersion"], found["uptimeSeconds"] >= 0) == ("1.36", True)
    async with admin.get("/statusz", headers={"Accept": "application/json"}) as response:
        assert response.status == 406


async def test_the_process_says_what_it_was_told(admin: aiohttp.ClientSession):
    """Its flags, in both forms; those that nobody gave have their defaults."""
    status, text = await got(admin, "/flagz")
    assert (status, text.startswith("kube-apiserver flags\n")) == (200, True)
    flags = (await structured(admin, "flagz", "Flagz"))["flags"]
    assert flags["rest-listen"].startswith("[127.0.0.1:")
    assert f"rest-listen={flags['rest-listen']}\n" in text
