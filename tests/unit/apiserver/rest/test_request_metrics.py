"""What the REST door counts, by kube-apiserver's names."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver.core.catalogue import Catalogue
from apiserver.core.kinds import ALL
from apiserver.rest.http_request import HttpRequest
from apiserver.rest.request_metrics import RequestMetrics
from machinery.process.tls import ANONYMOUS

CATALOGUE = Catalogue(ALL)
APPLY = {"Content-Type": "application/apply-patch+yaml"}


def request(method: str, url: str, headers: dict[str, str] | None = None) -> HttpRequest:
    return HttpRequest(method, url, CIMultiDictProxy(CIMultiDict(headers or {})), ANONYMOUS, b"")


def counted(metrics: RequestMetrics, name: str) -> dict[str, str]:
    """The samples of a metric, without the label that is always the same."""
    found = [line for line in metrics.lines() if line.startswith(name)]
    pairs = (line.removeprefix(name).rpartition(" ") for line in found)
    return {labels.replace('component="apiserver",', ""): number for labels, _, number in pairs}


@pytest.mark.parametrize(
    ("method", "url", "labels"),
    [
        ("GET", "/api/v1/namespaces/a/pods/p", ("", "", "pods", "resource", "", "GET", "v1")),
        ("GET", "/api/v1/namespaces/a/pods?limit=1", ("", "", "pods", "namespace", "", "LIST", "v1")),
        ("GET", "/api/v1/pods", ("", "", "pods", "cluster", "", "LIST", "v1")),
        ("GET", "/api/v1/nodes?watch=1", ("", "", "nodes", "cluster", "", "WATCH", "v1")),
        ("GET", "/apis/apps/v1/watch/deployments", ("", "apps", "deployments", "cluster", "", "WATCH", "v1")),
        ("POST", "/apis/apps/v1/namespaces/a/deployments?dryRun=All", ("All", "apps", "deployments", "resource", "", "POST", "v1")),
        ("PUT", "/apis/apps/v1/namespaces/a/deployments/d/status", ("", "apps", "deployments", "resource", "status", "PUT", "v1")),
        ("PATCH", "/api/v1/nodes/n", ("", "", "nodes", "resource", "", "PATCH", "v1")),
        ("DELETE", "/api/v1/namespaces/a/pods", ("", "", "pods", "namespace", "", "DELETECOLLECTION", "v1")),
        ("DELETE", "/api/v1/namespaces/a/pods/p", ("", "", "pods", "resource", "", "DELETE", "v1")),
        ("POST", "/api/v1/namespaces/a/pods/p/exec?command=x", ("", "", "pods", "resource", "exec", "CONNECT", "v1")),
        ("GET", "/api/v1/namespaces/a/puddings/p", ("", "", "", "", "", "GET", "")),
        ("GET", "/apis/example.com/v1/things", ("", "", "", "", "", "GET", "")),
        ("GET", "/api/v1/namespaces/a/pods/p/nothing", ("", "", "", "", "", "GET", "")),
        ("GET", "/readyz?verbose", ("", "", "", "", "/readyz", "GET", "")),
        ("GET", "/anything/else", ("", "", "", "", "", "GET", "")),
    ],
)  # fmt: skip
def test_a_request_is_counted_by_what_it_is(method: str, url: str, labels: tuple[str, ...]):
    """Its verb, its place and its scope; twice the same is the same."""
    metrics = RequestMetrics(CATALOGUE)
    for code in (200, 200, 404):
        metrics.answered(request(method, url), code, 2_000, 0.03)
    names = ("dry_run", "group", "resource", "scope", "subresource", "verb", "version")
    pairs = ",".join(f'{name}="{value}"' for name, value in zip(names, labels, strict=True))
    assert counted(metrics, "apiserver_request_total{") == {
        f'code="200",{pairs}}}': "2",
        f'code="404",{pairs}}}': "1",
    }
    durations = counted(metrics, "apiserver_request_duration_seconds_bucket{")
    assert durations[f'{pairs},le="0.025"}}'] == "0"
    assert durations[f'{pairs},le="0.05"}}'] == durations[f'{pairs},le="+Inf"}}'] == "3"
    assert counted(metrics, "apiserver_response_sizes_sum{") == {f"{pairs}}}": "6000"}


def test_an_apply_is_counted_apart_from_other_patches():
    """By the type of its body."""
    metrics = RequestMetrics(CATALOGUE)
    metrics.answered(request("PATCH", "/api/v1/nodes/n", APPLY), 200, 1, 0)
    metrics.answered(request("PATCH", "/api/v1/nodes/n"), 200, 1, 0)
    found = "".join(counted(metrics, "apiserver_request_total{"))
    assert ('verb="APPLY"' in found, 'verb="PATCH"' in found) == (True, True)


def test_what_nobody_serves_takes_no_memory():
    """However many paths are asked for."""
    metrics = RequestMetrics(CATALOGUE)
    for number in range(100):
        metrics.answered(request("GET", f"/apis/g{number}.example.com/v1/things/x{number}"), 404, 1, 0)
        metrics.answered(request("GET", f"/nowhere/{number}"), 404, 1, 0)
    assert len(counted(metrics, "apiserver_request_total{")) == 1
    assert not metrics._known


def test_what_is_going_on_is_a_gauge():
    """Requests that are served, and answers that last."""
    metrics, watch = RequestMetrics(CATALOGUE), request("GET", "/api/v1/pods?watch=true")
    metrics.begun(request("GET", "/api/v1/pods"))
    metrics.begun(request("PUT", "/api/v1/nodes/n"))
    metrics.over(request("PUT", "/api/v1/nodes/n"))
    inflight = counted(metrics, "apiserver_current_inflight_requests")
    assert inflight == {'{request_kind="mutating"}': "0", '{request_kind="readOnly"}': "1"}
    with metrics.lasting(watch):
        assert set(counted(metrics, "apiserver_longrunning_requests{").values()) == {"1"}
    metrics.ended(watch, 200)
    assert set(counted(metrics, "apiserver_longrunning_requests{").values()) == {"0"}
    assert 'verb="WATCH"' in "".join(counted(metrics, "apiserver_request_total{"))
    pods = CATALOGUE.kind("", "v1", "pods")
    assert pods
    metrics.events(pods).told += 3
    assert counted(metrics, "apiserver_watch_events_total{") == {
        'group="",version="v1",resource="pods"}': "3"
    }
