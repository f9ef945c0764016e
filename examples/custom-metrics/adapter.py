"""An adapter that serves numbers of pods as metrics that a HorizontalPodAutoscaler can follow.

    custom.metrics.k8s.io/v1beta2     what pods say of themselves; of a Service or a namespace: the sum over its pods
    external.metrics.k8s.io/v1beta1   every series on its own, chosen by its labels

Pods that are annotated with `prometheus.io/scrape: "true"` are asked for Prometheus' text format at `prometheus.io/port` and
`prometheus.io/path` (/metrics), whenever somebody wants to know: nothing is kept. A counter is served as it is.

It runs in a pod behind a Service that two APIServices lead to (adapter.yaml), reads with the pod's ServiceAccount, and believes
nobody but the front proxy of the apiserver, which has authorized whoever asks. Python's standard library is all that it needs.

    python adapter.py --cert /certs/tls.crt --key /certs/tls.key [--port 6443]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil, isfinite
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import parse_qs, quote, unquote, urlsplit
from urllib.request import Request, urlopen

CUSTOM, EXTERNAL = "custom.metrics.k8s.io/v1beta2", "external.metrics.k8s.io/v1beta1"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WAIT_S = 2.0
LARGEST = 4 * 1024 * 1024  # bytes of what a pod says
SERIES = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?")
LABEL = re.compile(r'(\w+)\s*=\s*"((?:[^"\\]|\\.)*)"')
TERM = re.compile(r"\s*(!?)([\w./-]+)\s*(?:(==|=|!=)\s*([\w.-]*)|\s(in|notin)\s*\(([^)]*)\))?\s*(?:,|$)")


class Sample(NamedTuple):
    """One number of one pod."""

    pod: str
    name: str
    labels: dict[str, str]
    value: float


class NotFoundError(LookupError):
    """There is nothing of this name."""


def parse(pod: str, text: str) -> Iterator[Sample]:
    """Yield the samples in what a pod says; what is no number is passed over."""
    for line in text.splitlines():
        found = SERIES.fullmatch(line.strip())
        if found is None or line.startswith("#"):
            continue
        try:
            value = float(found[3])
        except ValueError:
            continue
        if isfinite(value):
            yield Sample(pod, found[1], dict(LABEL.findall(found[2] or "")), value)


def matches(selector: str, labels: dict[str, str]) -> bool:
    """Whether labels are selected: a=b, a!=b, a in (b,c), a notin (b), a, !a; all of them."""
    for negated, key, equal, value, among, values in TERM.findall(selector):
        has = labels.get(key)
        if equal:
            holds = (has == value) is (equal != "!=")
        elif among:
            listed = {each.strip() for each in values.split(",")}
            holds = (has in listed) is (among == "in")
        else:
            holds = (has is None) is bool(negated)
        if not holds:
            return False
    return True


def quantity(value: float) -> str:
    """Write a number in thousandths, as Kubernetes reads it."""
    return f"{ceil(value * 1000)}m"


class Cluster:
    """What the apiserver knows, read with the pod's own account."""

    def __init__(self) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        self._url = f"https://{f'[{host}]' if ':' in host else host}:{port}"
        self._context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))

    def get(self, path: str) -> Any:
        """Read an object or a list."""
        token = (ACCOUNT / "token").read_text().strip()
        request = Request(self._url + path, headers={"Authorization": f"Bearer {token}"})
        with urlopen(request, timeout=10, context=self._context) as answer:
            return json.load(answer)

    def pods(self, namespace: str, selector: str = "") -> list[Any]:
        """List the pods of a namespace that run and want to be asked."""
        query = f"?labelSelector={quote(selector)}" if selector else ""
        found = self.get(f"/api/v1/namespaces/{quote(namespace)}/pods{query}")["items"]
        return [each for each in found if _is_asked(each)]

    def selector_of(self, namespace: str, service: str) -> str:
        """Return which pods a Service has."""
        found = self.get(f"/api/v1/namespaces/{quote(namespace)}/services/{quote(service)}")
        return ",".join(f"{key}={value}" for key, value in (found["spec"].get("selector") or {}).items())


def _is_asked(pod: Any) -> bool:
    annotations = pod["metadata"].get("annotations") or {}
    status = pod.get("status") or {}
    wanted = annotations.get("prometheus.io/scrape") == "true" and "prometheus.io/port" in annotations
    return wanted and status.get("phase") == "Running" and bool(status.get("podIP"))


def ask(pod: Any) -> list[Sample]:
    """Read what a pod says; one that does not answer says nothing."""
    meta, annotations = pod["metadata"], pod["metadata"]["annotations"]
    address = pod["status"]["podIP"]
    host = f"[{address}]" if ":" in address else address
    path = annotations.get("prometheus.io/path", "/metrics")
    url = f"http://{host}:{annotations['prometheus.io/port']}{path}"
    try:
        with urlopen(url, timeout=WAIT_S) as answer:
            return list(parse(meta["name"], answer.read(LARGEST).decode(errors="replace")))
    except (OSError, URLError, ValueError):
        return []


class Metrics:
    """Answers with what pods say now."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._asking = ThreadPoolExecutor(16)

    def custom(self, place: list[str], query: dict[str, str]) -> Any:
        """Answer for namespaces/<ns>/pods/<name or *>/<metric>, …/services/<name>/<metric>, or …/metrics/<metric>."""
        match place:
            case ["namespaces", namespace, "metrics", metric]:
                items = [self._sum(namespace, "", metric, query, ("Namespace", namespace, "v1"))]
            case ["namespaces", namespace, "services", name, metric]:
                selector = self._cluster.selector_of(namespace, name)
                items = [self._sum(namespace, selector, metric, query, ("Service", name, "v1"))]
            case ["namespaces", namespace, "pods", name, metric]:
                items = self._of_pods(namespace, name, metric, query)
            case _:
                raise NotFoundError("/".join(place))
        return {"kind": "MetricValueList", "apiVersion": CUSTOM, "metadata": {}, "items": items}

    def external(self, place: list[str], query: dict[str, str]) -> Any:
        """Answer for namespaces/<ns>/<metric>."""
        if len(place) != 3 or place[0] != "namespaces":
            raise NotFoundError("/".join(place))
        samples = self._samples(place[1], "", place[2], query.get("labelSelector", ""))
        items = [
            {
                "metricName": each.name,
                "metricLabels": each.labels,
                "timestamp": _now(),
                "value": quantity(each.value),
            }
            for each in samples
        ]
        return {"kind": "ExternalMetricValueList", "apiVersion": EXTERNAL, "metadata": {}, "items": items}

    def _of_pods(self, namespace: str, name: str, metric: str, query: dict[str, str]) -> list[Any]:
        samples = self._samples(
            namespace, query.get("labelSelector", ""), metric, query.get("metricLabelSelector", "")
        )
        values: dict[str, float] = {}
        for each in samples:
            if name in {"*", each.pod}:
                values[each.pod] = values.get(each.pod, 0.0) + each.value
        if not values and name != "*":
            raise NotFoundError(f"{metric} of {name}")
        return [_value(namespace, ("Pod", pod, "v1"), metric, value) for pod, value in sorted(values.items())]

    def _sum(
        self, namespace: str, selector: str, metric: str, query: dict[str, str], of: tuple[str, str, str]
    ) -> Any:
        samples = self._samples(namespace, selector, metric, query.get("metricLabelSelector", ""))
        if not samples:
            raise NotFoundError(f"{metric} of {of[1]}")
        return _value(namespace, of, metric, sum(each.value for each in samples))

    def _samples(self, namespace: str, selector: str, metric: str, of: str) -> list[Sample]:
        pods = self._cluster.pods(namespace, selector)
        every = [each for found in self._asking.map(ask, pods) for each in found]
        return [each for each in every if each.name == metric and matches(of, each.labels)]


def _value(namespace: str, of: tuple[str, str, str], metric: str, value: float) -> Any:
    kind, name, version = of
    described = {"kind": kind, "namespace": namespace, "name": name, "apiVersion": version}
    return {
        "describedObject": described,
        "metric": {"name": metric},
        "timestamp": _now(),
        "value": quantity(value),
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def discovery(version: str) -> Any:
    """Return what is served: whatever pods say, under names that only they know."""
    names = ("pods/*", "services/*", "namespaces/*") if version == CUSTOM else ("*",)
    kind = "MetricValueList" if version == CUSTOM else "ExternalMetricValueList"
    resources = [
        {
            "name": name,
            "singularName": "",
            "namespaced": name != "namespaces/*",
            "kind": kind,
            "verbs": ["get"],
        }
        for name in names
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def respond(metrics: Metrics, target: str) -> tuple[int, Any]:
    """Return the status and the body of an answer."""
    url = urlsplit(target)
    query = {key: values[0] for key, values in parse_qs(url.query).items()}
    for version, serve in ((CUSTOM, metrics.custom), (EXTERNAL, metrics.external)):
        root = f"/apis/{version}"
        if url.path == root:
            return 200, discovery(version)
        if url.path.startswith(f"{root}/"):
            place = [unquote(part) for part in url.path.removeprefix(f"{root}/").split("/")]
            try:
                return 200, serve(place, query)
            except (NotFoundError, URLError) as error:
                return 404, _failure(f"the server could not find the metric {error}")
    return 404, _failure("404 page not found")


def _failure(message: str) -> Any:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return {**status, "reason": "NotFound", "details": {}, "code": 404}


def serving_context(cluster: Cluster, cert: str, key: str) -> ssl.SSLContext:
    """Return the server's side of TLS: callers show a certificate of the front proxy's."""
    trusted = cluster.get("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=trusted["data"]["requestheader-client-ca-file"])
    return context


def main() -> None:
    """Serve until the process ends."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cert", required=True)
    options.add_argument("--key", required=True)
    options.add_argument("--port", type=int, default=6443)
    given = options.parse_args()
    cluster = Cluster()
    metrics = Metrics(cluster)

    class Door(BaseHTTPRequestHandler):
        """One request after the other of a connection."""

        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            """Answer."""
            status, body = respond(metrics, self.path)
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    class Server(ThreadingHTTPServer):
        """Shakes hands in the thread of a connection, so that nobody holds the others up."""

        daemon_threads = True
        context = serving_context(cluster, given.cert, given.key)

        def finish_request(self, request: Any, client_address: Any) -> None:
            """Serve a connection."""
            request.settimeout(60)
            try:
                with self.context.wrap_socket(request, server_side=True) as secured:
                    super().finish_request(secured, client_address)
            except OSError:  # a caller without a certificate, or one that has gone
                return

    with Server(("", given.port), Door) as server:
        print(f"serving on {given.port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
