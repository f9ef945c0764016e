"""What the REST door counts, by the names and labels of kube-apiserver's metrics.

https://kubernetes.io/docs/reference/instrumentation/metrics/

    apiserver_request_total, apiserver_request_duration_seconds, apiserver_response_sizes
    apiserver_current_inflight_requests, apiserver_longrunning_requests, apiserver_watch_events_total
    apiserver_requested_deprecated_apis

Anybody may ask for any path, and memory is no place for that: what is not served is counted without its names. The
registry counts the requests of both doors that reach it (`apiserver_requests_total`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from apiserver.core.catalogue import Catalogue
from apiserver.rest.http_request import HttpRequest
from apiserver.rest.paths import Target
from machinery.model.kinds import KindNames
from machinery.model.requests import PatchType
from machinery.process.metrics import described, histogram_lines, sample

DURATIONS_S: Final = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0,
                      15.0, 20.0, 30.0, 45.0, 60.0)  # fmt: skip
SIZES_BYTES: Final = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)
_COMPONENT: Final = "apiserver"
_CONNECTS: Final = frozenset({"exec", "attach", "portforward", "proxy"})
_MUTATING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_PAGES: Final = frozenset(
    {"/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"}
)


class Labels(NamedTuple):
    """What a request is."""

    component: str = _COMPONENT
    dry_run: str = ""
    group: str = ""
    resource: str = ""
    scope: str = ""
    subresource: str = ""
    verb: str = ""
    version: str = ""


class _Series:
    """The requests that have the same labels."""

    __slots__ = ("codes", "durations", "size_bytes", "sizes", "took_s")

    def __init__(self) -> None:
        self.codes: Counter[int] = Counter()
        self.durations = [0] * (len(DURATIONS_S) + 1)
        self.took_s = 0.0
        self.sizes = [0] * (len(SIZES_BYTES) + 1)
        self.size_bytes = 0


class Events:
    """How many events the watchers of a kind were sent."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        self.told = 0


class RequestMetrics:
    """The requests of one door."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._generation = -1
        self._series: dict[Labels, _Series] = {}
        self._known: dict[tuple[object, ...], _Series] = {}  # of requests of what this generation serves
        self._inflight = {"mutating": 0, "readOnly": 0}
        self._lasting: Counter[Labels] = Counter()
        self._events: dict[tuple[str, str, str], Events] = {}

    def begun(self, http: HttpRequest) -> None:
        """Count a request as one that is being served, until it is `over`."""
        self._inflight["mutating" if http.method in _MUTATING else "readOnly"] += 1

    def over(self, http: HttpRequest) -> None:
        """Count a request as one that is not served any more."""
        self._inflight["mutating" if http.method in _MUTATING else "readOnly"] -= 1

    def answered(self, http: HttpRequest, code: int, size_bytes: int, took_s: float) -> None:
        """Count an answer that was given at once."""
        series = self._series_of(http)
        series.codes[code] += 1
        series.durations[bisect_left(DURATIONS_S, took_s)] += 1
        series.took_s += took_s
        series.sizes[bisect_left(SIZES_BYTES, size_bytes)] += 1
        series.size_bytes += size_bytes

    @contextmanager
    def lasting(self, http: HttpRequest) -> Iterator[None]:
        """Count an answer that lasts while inside."""
        labels = _labels(http, self._catalogue)
        self._lasting[labels] += 1
        try:
            yield
        finally:
            self._lasting[labels] -= 1

    def ended(self, http: HttpRequest, code: int) -> None:
        """Count the end of an answer that lasted."""
        self._series_of(http).codes[code] += 1

    def events(self, kind: KindNames) -> Events:
        """Return what counts the events that watchers of a kind are sent."""
        return self._events.setdefault(kind.gvr, Events())

    def _series_of(self, http: HttpRequest) -> _Series:
        """Return the series of a request; where it is of what is served, it is found by what makes its labels."""
        target, query = http.target, http.raw_query
        if not isinstance(target, Target):
            return self._series.setdefault(_labels(http, self._catalogue), _Series())
        if self._generation != self._catalogue.generation:
            self._generation = self._catalogue.generation
            self._known.clear()
        key = (
            http.method,
            _is_apply(http),
            target.group,
            target.version,
            target.resource,
            target.subresource,
            not target.name,
            not target.namespace,
            bool(query) and _is_dry_run(query),
            bool(query) and _is_watch(query),
        )
        series = self._known.get(key)
        if series is None:
            labels = _labels(http, self._catalogue)
            series = self._series.setdefault(labels, _Series())
            if labels.resource:
                self._known[key] = series
        return series

    def lines(self) -> Iterator[str]:
        """Yield what was counted, in Prometheus' text format."""
        yield from described(
            "apiserver_request_total", "Requests, by what they are and how they ended", "counter"
        )
        for labels, series in self._series.items():
            for code, count in series.codes.items():
                names, values = ("code", *Labels._fields), (str(code), *labels)
                yield sample("apiserver_request_total", names, values, count)
        yield from self._histogram(
            "apiserver_request_duration_seconds", "Wall time of answers that do not last", DURATIONS_S,
            [(labels, each.durations, each.took_s) for labels, each in self._series.items()],
        )  # fmt: skip
        yield from self._histogram(
            "apiserver_response_sizes", "Bytes of answers that do not last", SIZES_BYTES,
            [(labels, each.sizes, each.size_bytes) for labels, each in self._series.items()],
        )  # fmt: skip
        yield from self._deprecated()
        yield from described("apiserver_current_inflight_requests", "Requests that are being served", "gauge")
        for kind, number in self._inflight.items():
            yield sample("apiserver_current_inflight_requests", ("request_kind",), (kind,), number)
        yield from described(
            "apiserver_longrunning_requests", "Watches, logs and others that are open", "gauge"
        )
        for labels, number in self._lasting.items():
            own = _without_dry_run(labels)
            yield sample("apiserver_longrunning_requests", _without_dry_run(Labels._fields), own, number)
        yield from described("apiserver_watch_events_total", "Events that watchers were sent", "counter")
        for gvr, events in self._events.items():
            yield sample("apiserver_watch_events_total", ("group", "version", "resource"), gvr, events.told)

    def _deprecated(self) -> Iterator[str]:
        """Yield what was asked for though its time is over. In which release it will be gone, nobody has said of any."""
        name = "apiserver_requested_deprecated_apis"
        asked = {(each.group, each.resource, each.subresource, each.version) for each in self._series}
        yield from described(name, "Deprecated kinds that were asked for", "gauge")
        for group, resource, subresource, version in sorted(asked):
            found = self._catalogue.names(group, version, resource)
            if found is not None and found.warning:
                keys = ("group", "removed_release", "resource", "subresource", "version")
                yield sample(name, keys, (group, "", resource, subresource, version), 1)

    def _histogram(
        self, name: str, text: str, bounds: Sequence[float], found: list[tuple[Labels, list[int], float]]
    ) -> Iterator[str]:
        yield from described(name, text, "histogram")
        for labels, counts, total in found:
            if any(counts):
                yield from histogram_lines(name, Labels._fields, labels, bounds, counts, total)


def _without_dry_run(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the second label: what lasts is no dry run."""
    return (labels[0], *labels[2:])


def _labels(http: HttpRequest, catalogue: Catalogue) -> Labels:
    target = http.target
    if not isinstance(target, Target):
        page = http.raw_path if http.raw_path in _PAGES else ""
        return Labels(subresource=page, verb=http.method)
    names = catalogue.names(target.group, target.version, target.resource)
    if names is None or (target.subresource and target.subresource not in names.subresources):
        return Labels(verb=http.method)
    verb = _verb(http, target)
    return Labels(
        dry_run="All" if http.method in _MUTATING and _is_dry_run(http.raw_query) else "",
        group=names.group,
        resource=names.plural,
        scope=_scope(target, verb),
        subresource=target.subresource,
        verb=verb,
        version=names.version,
    )


def _verb(http: HttpRequest, target: Target) -> str:
    if target.subresource in _CONNECTS:
        return "CONNECT"
    match http.method:
        case "GET" if target.watch or _is_watch(http.raw_query):
            return "WATCH"
        case "GET" if not target.name:
            return "LIST"
        case "DELETE" if not target.name:
            return "DELETECOLLECTION"
        case "PATCH" if _is_apply(http):
            return "APPLY"
        case method:
            return method


def _scope(target: Target, verb: str) -> str:
    if target.name or verb == "POST":
        return "resource"
    return "namespace" if target.namespace else "cluster"


def _is_apply(http: HttpRequest) -> bool:
    return http.method == "PATCH" and http.headers.get("Content-Type", "").startswith(PatchType.APPLY.value)


def _is_dry_run(raw_query: str) -> bool:
    return "dryRun=All" in raw_query


def _is_watch(raw_query: str) -> bool:
    return "watch=" in raw_query and not ("watch=0" in raw_query or "watch=false" in raw_query)
