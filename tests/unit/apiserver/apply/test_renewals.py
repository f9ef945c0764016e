"""Updates that change nothing in managedFields but a time: found without sets, and as the sets would have it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from apiserver.core.apply import managers, track_update
from apiserver.core.apply.managers import Managed, updater
from apiserver.core.apply.renewal import renewed
from apiserver.core.apply.update import known, take_over, without_managed
from apiserver.core.values import Json
from tests.support.applied import PODS, Stored, tracker

STATUS = tracker(
    "io.k8s.api.core.v1.Pod",
    "v1",
    subresource="status",
    reset={"v1": {"f:spec": {}, "f:metadata": {"f:ownerReferences": {}}}},
)
NOW = "2026-01-02T00:00:00Z"


def _pod(**status: Any) -> Json:
    conditions = [
        {"type": "Ready", "status": "True"},
        {"type": "Initialized", "status": "True"},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "uid": "u", "resourceVersion": "1", "labels": {"a": "b"}},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": conditions, **status},
    }


def _stored() -> Json:
    """Return a pod that its creator owns, and a kubelet its status."""
    bare = {name: part for name, part in _pod().items() if name != "status"}
    stored = Stored(PODS).update("ctl", bare).update("kubelet", _pod(), by=STATUS)
    assert stored.obj is not None
    return stored.obj


def _applied() -> Json:
    """Return that pod where somebody has applied the same message as the kubelet has."""
    stored = Stored(PODS).update("kubelet", _pod(message="m"), by=STATUS)
    config = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"message": "m"}}
    stored.apply("me", config, by=STATUS)
    assert stored.obj is not None
    return stored.obj


def _slowly(live: Json, new: Json, manager: str) -> list[Json]:
    managed: Managed = known(live["metadata"]["managedFields"])
    taken = take_over(STATUS, without_managed(live), without_managed(new), managed, manager=manager, now=NOW)
    return managers.write(taken)


def _ready(status: str) -> list[Json]:
    first, second = deepcopy(_pod()["status"]["conditions"])
    return [{**first, "status": status}, second]


def _with_metadata(**more: Any) -> Json:
    pod = _pod()
    return {**pod, "metadata": {**pod["metadata"], **more}}


@pytest.mark.parametrize(
    "new",
    [
        _pod(phase="Failed"),
        _pod(podIP="10.0.0.2", conditions=_ready("False")),
        {**_pod(phase="Failed"), "spec": {}},
        _with_metadata(resourceVersion="2", generation=3, ownerReferences=[{"uid": "x"}]) | {"status": _pod(phase="Failed")["status"]},
    ],
)  # fmt: skip
def test_other_values_of_what_an_updater_owns_alone_stamp_its_entry(new: Json) -> None:
    """Whatever happens to what nobody owns, and to what the request cannot change."""
    live = _stored()
    entries = live["metadata"]["managedFields"]
    found = renewed(STATUS, entries, live, new, updater=updater("kubelet", "v1", "status"), now=NOW)
    assert found == [entries[0], {**entries[1], "time": NOW}]
    assert found == _slowly(live, new, "kubelet")


def test_what_changes_nothing_that_is_owned_stamps_nothing() -> None:
    """The entries are those that are stored."""
    live = _stored()
    entries, new = live["metadata"]["managedFields"], _with_metadata(resourceVersion="2", managedFields=None)
    found = renewed(STATUS, entries, live, new, updater=updater("kubelet", "v1", "status"), now=NOW)
    assert found is entries


@pytest.mark.parametrize(
    ("live", "new", "manager"),
    [
        (_stored(), _pod(message="new"), "kubelet"),  # a field is added
        (_stored(), {**_pod(), "status": {"phase": "Failed"}}, "kubelet"),  # fields go
        (_stored(), _pod(phase=None), "kubelet"),
        (_stored(), _pod(conditions=_ready("False")[:1]), "kubelet"),  # an element goes
        (_stored(), _pod(conditions=_ready("False")[::-1]), "kubelet"),  # the order is another one
        (_stored(), _pod(conditions=[*_ready("True"), {"type": "Ready", "status": "?"}]), "kubelet"),
        (_stored(), _pod(phase="Failed"), "other"),  # somebody else writes
        (_stored(), _with_metadata(labels={"a": "c"}), "kubelet"),  # it is somebody else's
        (_stored(), _with_metadata(labels={"a": "b", "c": "d"}), "kubelet"),
        (_applied(), _pod(message="n"), "kubelet"),  # two own it
        (_applied(), _pod(message="m", phase="Failed"), "me"),  # an applier updates
    ],
)
def test_everything_else_is_as_the_sets_have_it(live: Json, new: Json, manager: str) -> None:
    """The short way does not pretend to know."""
    entries = live["metadata"]["managedFields"]
    found = renewed(STATUS, entries, live, new, updater=updater(manager, "v1", "status"), now=NOW)
    assert found is None or manager == "kubelet"
    assert track_update(STATUS, live, new, manager=manager, now=NOW) == _slowly(live, new, manager)
