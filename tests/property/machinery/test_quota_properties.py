"""Amounts of pods, and quotas, against other ways to count."""

from __future__ import annotations

from math import ceil
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from apiserver.core.values import Json
from machinery.model import amounts, pods
from machinery.model.clock import Timescale
from machinery.model.k8s.core_v1 import Pod
from machinery.model.placement import requests_by_name
from machinery.model.pod_totals import Side, charged
from machinery.model.pods import PodRequests
from machinery.model.quota.decision import Charged, Write, decide, observed_use, with_charge
from machinery.model.quota.usage import Moment
from tests.support.examples import examples

NOW = Moment(0.0, Timescale())
_NAMES = st.sampled_from(["cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "example.com/gpu"])
_AMOUNTS = st.sampled_from(["0", "1", "250m", "2", "1Ki", "3", "1500m"])
_LISTS = st.dictionaries(_NAMES, _AMOUNTS, max_size=3)
_RESOURCES = st.fixed_dictionaries({}, optional={"requests": _LISTS, "limits": _LISTS})
_CONTAINERS = st.lists(st.fixed_dictionaries({"name": st.just("c"), "resources": _RESOURCES}), max_size=3)
_BEGINNING = st.fixed_dictionaries(
    {"name": st.just("i"), "resources": _RESOURCES}, optional={"restartPolicy": st.just("Always")}
)
_SPECS = st.fixed_dictionaries(
    {"containers": _CONTAINERS, "initContainers": st.lists(_BEGINNING, max_size=3)},
    optional={"resources": _RESOURCES, "overhead": _LISTS, "activeDeadlineSeconds": st.just(1)},
)


@given(spec=_SPECS)
@examples(200)
def test_a_pod_counts_for_what_the_scheduler_keeps_free_for_it(spec: dict[str, Any]):
    """And for the limits that its cgroup has: two programs, one rule."""
    own: Json = {"metadata": {"name": "p"}, "spec": spec}
    typed = msgspec.convert(own, Pod)
    sides: dict[Side, PodRequests] = {"requests": pods.requests(typed), "limits": pods.limits(typed)}
    for side, other in sides.items():
        mine = charged(own, side)
        whole = {
            name: ceil(amount.value * (1000 if name == "cpu" else 1))
            for name, amount in mine.items()
            if amount.value
        }
        assert whole == {name: value for name, value in requests_by_name(other).items() if value}


_QUOTAS = st.fixed_dictionaries(
    {"hard": st.dictionaries(st.sampled_from(["pods", "count/pods", "requests.example.com/gpu", "requests.ephemeral-storage", "services", "services.nodeports"]), st.sampled_from(["0", "1", "3", "2Ki"]), min_size=1)},
    optional={"scopes": st.lists(st.sampled_from(["Terminating", "NotTerminating", "BestEffort", "NotBestEffort"]), max_size=2)},
)  # fmt: skip
_SERVICES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]),
        "ports": st.lists(st.just({"port": 1}), max_size=3),
    }
)
_OBJECTS = st.one_of(
    st.tuples(st.just("pods"), _SPECS),
    st.tuples(st.just("services"), _SERVICES),
)


@given(specs=st.lists(_QUOTAS, min_size=1, max_size=3), writes=st.lists(_OBJECTS, max_size=8))
@examples(100)
def test_what_was_charged_is_what_is_counted_afresh_and_never_more_than_the_limit(
    specs: list[Json], writes: list[tuple[str, Json]]
):
    """However objects come, whatever was refused."""
    quotas = [
        {
            "metadata": {"name": str(number)},
            "spec": spec,
            "status": {"hard": spec["hard"], "used": dict.fromkeys(spec["hard"], "0")},
        }
        for number, spec in enumerate(specs)
    ]
    stored: dict[tuple[str, str], list[Json]] = {("", "pods"): [], ("", "services"): []}
    for plural, spec in writes:
        obj: Json = {"metadata": {"name": "o"}, "spec": spec}
        found = decide(quotas, Write(("", plural), obj), NOW)
        if not isinstance(found, Charged):
            continue
        stored["", plural].append(obj)
        quotas = [with_charge(quota, found.by_quota.get(quota["metadata"]["name"], {})) for quota in quotas]
    for quota in quotas:
        used, hard = (amounts.read(quota["status"][field]) for field in ("used", "hard"))
        assert {name: amount.value for name, amount in used.items()} == {
            name: amount.value for name, amount in observed_use(quota, stored, NOW).items()
        }
        assert amounts.exceeding(used, hard) == []
