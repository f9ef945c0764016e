"""StatefulSets, DaemonSets, ReplicationControllers, their revisions and templates."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from tests.support.served_kinds import (
    KINDS,
    complaints,
    created,
    merged,
    row,
    status_complaints,
    update_complaints,
    updated,
    with_status,
)

SELECTOR = {"matchLabels": {"app": "web"}}
AT_LEAST_0 = "must be greater than or equal to 0"


def template(**spec: Any) -> Json:
    pods = {"containers": [{"name": "main", "image": "app:1"}], **spec}
    return {"metadata": {"labels": {"app": "web"}}, "spec": pods}


def workload(kind: str, name: str = "web", **spec: Any) -> Json:
    own = {"selector": SELECTOR, "template": template(), **spec}
    version = "v1" if kind == "ReplicationController" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": own}


def stateful(name: str = "web", **spec: Any) -> Json:
    return workload("StatefulSet", name, **spec)


def daemon(**spec: Any) -> Json:
    return workload("DaemonSet", **spec)


def controller(**spec: Any) -> Json:
    return workload("ReplicationController", **{"selector": {"app": "web"}, **spec})


def claim(name: str = "data", **spec: Any) -> Json:
    own = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"name": name}, "spec": own}


def rolling(**update: Any) -> Json:
    return {"type": "RollingUpdate", "rollingUpdate": update}


def test_how_many_may_be_unavailable_is_kept_where_it_is_said() -> None:
    """It has no default: v1.36 has the feature off."""
    assert created(stateful(updateStrategy=rolling(maxUnavailable=3)))["spec"]["updateStrategy"] == rolling(
        partition=0, maxUnavailable=3
    )


def test_a_stateful_set_gets_defaults() -> None:
    """Those that Kubernetes documents, in the templates of its claims as well."""
    made = created(stateful(volumeClaimTemplates=[claim()]))
    own = {**made["spec"]}
    assert made["status"] == {"replicas": 0, "availableReplicas": 0}
    assert own.pop("template")["spec"]["restartPolicy"] == "Always"
    assert own == {
        "selector": SELECTOR,
        "replicas": 1,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": rolling(partition=0),
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "revisionHistoryLimit": 10,
        "volumeClaimTemplates": [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data"},
                "spec": {**claim()["spec"], "volumeMode": "Filesystem"},
                "status": {"phase": "Pending"},
            }
        ],
    }
    kept = created(stateful(updateStrategy={"type": "OnDelete"}))["spec"]
    assert kept["updateStrategy"] == {"type": "OnDelete"}


def test_a_claim_is_a_volume_of_the_pods() -> None:
    """They mount it by its name."""
    mounted = template(
        containers=[{"name": "m", "image": "i:1", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}]
    )
    assert complaints(stateful(template=mounted, volumeClaimTemplates=[claim()])) == []
    assert complaints(stateful(template=mounted)) == [
        'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"'
    ]


def test_a_service_of_a_stateful_set_has_a_name() -> None:
    """Looked at when the StatefulSet is created: one that is stored may keep a name that is none."""
    [said] = complaints(stateful(serviceName="a.b"))
    assert said == 'spec.serviceName: Invalid value: "a.b": must not contain dots'
    stored = merged(created(stateful()), serviceName="a.b")
    assert update_complaints(merged(stored, replicas=3), stored) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"replicas": 4, "minReadySeconds": 1, "ordinals": {"start": 2}, "revisionHistoryLimit": 3}, []),
        ({"updateStrategy": {"type": "OnDelete"}, "template": template(hostname="x")}, []),
        ({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}, []),
    ],
)
def test_a_stateful_set_changes_in_some_fields(changes: Json, said: list[str]) -> None:
    """What its pods and volumes were made by stays."""
    stored = created(stateful(serviceName="web"))
    assert update_complaints(merged(stored, **changes), stored) == said


def test_a_template_that_was_never_right_does_not_hold_up_other_changes() -> None:
    """One that was right stays so."""
    stored = created(stateful())
    broken = merged(stored, template={**stored["spec"]["template"], "spec": {}})
    assert update_complaints(merged(broken, replicas=2), broken) == []
    assert update_complaints(broken, stored) == ["spec.template.spec.containers: Required value"]


def test_a_daemon_set_counts_its_templates() -> None:
    """In an annotation, which only a change of the template moves."""
    key = "deprecated.daemonset.template.generation"
    stored = created(daemon())
    assert stored["metadata"]["annotations"] == {key: "1"}
    assert stored["spec"]["updateStrategy"] == rolling(maxUnavailable=1, maxSurge=0)
    again = {
        **daemon(minReadySeconds=5),
        "metadata": {"name": "web", "annotations": {key: "7", "mine": "yes"}},
    }
    changed = updated(again, stored)
    assert changed["metadata"]["annotations"] == {key: "1", "mine": "yes"}
    assert changed["metadata"]["generation"] == 2
    newest = updated(daemon(template=template(hostname="x")), changed)
    assert newest["metadata"]["annotations"] == {key: "2"}
    selected = merged(stored, selector={"matchLabels": {"app": "web", "x": "y"}})
    assert (
        'spec.selector: Invalid value: {"matchLabels":{"app":"web","x":"y"}}: field is immutable'
        in update_complaints(selected, stored)
    )


@pytest.mark.parametrize("obj", [stateful(), daemon()])
def test_collisions_are_never_fewer(obj: Json) -> None:
    """The names of revisions depend on it."""
    counted = with_status(created(obj), replicas=0, collisionCount=2)
    assert status_complaints(counted, replicas=0, collisionCount=1) == [
        "status.collisionCount: Invalid value: 1: cannot be decremented"
    ]


def revision(number: int = 1, **fields: Any) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "web-1"},
        "revision": number,
        **fields,
    }


def test_a_revision_keeps_what_it_is_about() -> None:
    """Its number may change."""
    assert complaints(revision()) == ["data: Required value: data is mandatory"]
    assert complaints(revision(-1, data={})) == [f"revision: Invalid value: -1: {AT_LEAST_0}"]
    stored = created(revision(data={"a": 1}))
    assert update_complaints(revision(5, data={"a": 1}), stored) == []
    assert update_complaints(revision(data={"a": 2}), stored) == [
        'data: Invalid value: {"a":2}: field is immutable'
    ]


def test_a_replication_controller_selects_its_template() -> None:
    """Where it says nothing else; its labels follow as well, and its Scale has the selector as text."""
    made = created(
        controller(selector=None, template={**template(), "metadata": {"labels": {"b": "2", "a": "1"}}})
    )
    assert made["spec"]["selector"] == made["metadata"]["labels"] == {"a": "1", "b": "2"}
    scale = KINDS["ReplicationController"].rules.scale
    assert scale is not None
    assert (scale.selector(made), scale.replicas(made), scale.current_replicas(made)) == ("a=1,b=2", 1, 0)
    assert KINDS["ReplicationController"].rules.fields(made)["status.replicas"] == "0"


def test_a_template_that_is_an_object_is_checked_like_others() -> None:
    """Its generation follows the template."""
    obj = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "t"}, "template": template()}
    stored = created(obj)
    assert (
        updated({**obj, "metadata": {"name": "t", "labels": {"a": "b"}}}, stored)["metadata"]["generation"]
        == 1
    )
    assert updated({**obj, "template": template(hostname="x")}, stored)["metadata"]["generation"] == 2
    assert complaints({**obj, "template": template(containers=[])}) == [
        "template.spec.containers: Required value"
    ]
    assert row(stored) == {"Name": "t", "Containers": "main", "Images": "app:1", "Pod Labels": "app=web"}


def test_workloads_are_printed() -> None:
    """With their counters, and in wide with what runs in them."""
    wide = {"Containers": "main", "Images": "app:1"}
    sets = {**created(stateful(replicas=3)), "status": {"readyReplicas": 2}}
    assert row(sets) == {"Name": "web", "Ready": "2/3", "Age": "60s", **wide}
    counters = {
        "desiredNumberScheduled": 5,
        "currentNumberScheduled": 4,
        "numberReady": 3,
        "updatedNumberScheduled": 2,
        "numberAvailable": 1,
    }
    daemons = {**created(daemon(template=template(nodeSelector={"disk": "ssd"}))), "status": counters}
    assert row(daemons) == {
        "Name": "web", "Desired": 5, "Current": 4, "Ready": 3, "Up-to-date": 2, "Available": 1,
        "Node Selector": "disk=ssd", "Age": "60s", **wide, "Selector": "app=web",
    }  # fmt: skip
    controllers = {**created(controller(replicas=3)), "status": {"replicas": 2, "readyReplicas": 1}}
    assert row(controllers) == {
        "Name": "web", "Desired": 3, "Current": 2, "Ready": 1, "Age": "60s", **wide, "Selector": "app=web",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("version", "kind", "printed"),
    [("apps/v1", "StatefulSet", "statefulset.apps/web"), ("v1", "Node", "node/web")],
)
def test_a_revision_is_printed_with_its_owner(version: str, kind: str, printed: str) -> None:
    """As kubectl names objects; one that nobody controls has none."""
    owner = {"apiVersion": version, "kind": kind, "name": "web", "uid": "u", "controller": True}
    made = created(revision(data={}))
    assert row(made) == {"Name": "web-1", "Controller": "<none>", "Revision": 1, "Age": "60s"}
    assert (
        row({**made, "metadata": {**made["metadata"], "ownerReferences": [owner]}})["Controller"] == printed
    )
