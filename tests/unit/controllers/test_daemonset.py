"""The DaemonSet controller: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/."""

import msgspec
import pytest

from controllers.core.actions import Create, Delete, Facts, Patch, SlowStart
from controllers.core.caches import Caches
from controllers.core.revisions import CONTROLLER_REVISIONS, ControllerRevision, data_of
from controllers.daemonset.controller import Reader
from controllers.daemonset.failures import Failures
from controllers.daemonset.placement import Verdict, bound_to, judge, node_of, read_wish, tolerations_of
from controllers.daemonset.plan import BURST, Seen, plan
from machinery.model.k8s.apps_v1 import DaemonSetUpdateStrategy
from machinery.model.k8s.core_v1 import Affinity, Pod, PodCondition
from machinery.model.requests import EventType
from machinery.model.store import Change
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import (
    at,
    daemon_set,
    events,
    moment,
    of_type,
    owner,
    status_of,
    template,
)

GONE = "2026-01-01T00:59:00Z"
DAEMON = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
PRESSURE = [f"node.kubernetes.io/{what}" for what in ("disk-pressure", "memory-pressure", "pid-pressure")]


def revision_of(ds, number=1, digest="now", **fields):
    labels = {"app": "web", "controller-revision-hash": digest}
    metadata = builders.meta(f"web-{digest}", "default", labels=labels, ownerReferences=[owner(ds)])
    return ControllerRevision(
        metadata=metadata, data=fields.get("data", data_of(ds.spec.template)), revision=number
    )


def pod_on(ds, node, state="ready", digest="now", **fields):
    """Return a pod of a node: ready, available only later, unready, Failed, Succeeded, going, or waiting for its node."""
    name = fields.pop("name", f"{node}-{digest}-{state}")
    phase = state if state in {"Failed", "Succeeded"} else "Running"
    since = at(-5 if state == "young" else -3600)
    status = "True" if state in {"ready", "young", "going"} else "False"
    conditions = [PodCondition(type="Ready", status=status, lastTransitionTime=since)]
    meta_fields = {"creationTimestamp": fields.pop("created", at(-60))}
    if state == "going":
        meta_fields["deletionTimestamp"] = GONE
    labels = {"app": "web", "controller-revision-hash": digest, **fields.pop("labels", {})}
    pod = builders.pod(
        name,
        node="" if state == "waiting" else node,
        phase="Pending" if state == "waiting" else phase,
        labels=labels,
        owners=[owner(ds)],
        conditions=conditions,
        meta_fields=meta_fields,
    )
    affinity = msgspec.convert(bound_to({}, node)["affinity"], Affinity)
    return changed(pod, spec__affinity=affinity)


def seen(ds, nodes, pods=(), revisions=None, waits=None, named=()):
    nodes = [builders.node(each) if isinstance(each, str) else each for each in nodes]
    revisions = [revision_of(ds)] if revisions is None else revisions
    return Seen(ds, nodes, pods, revisions, {each.metadata.name: each for each in named}, waits or {})


def plan_for(ds, nodes, *pods, **more):
    return plan(seen(ds, nodes, pods, **more), moment())


def made_for(planned):
    """Return the nodes that pods are made for."""
    creates = [write for write in of_type(planned, Create) if write.resource.plural == "pods"]
    return [node_of(msgspec.convert(msgspec.to_builtins(write.object), Pod)) for write in creates]


def deleted(planned):
    return [write.name for write in of_type(planned, Delete)]


# --- placement


def test_pods_tolerate_what_befalls_nodes():
    """Their own tolerations stay, except for those that would end after a time."""
    own = [
        {"key": "gpu", "operator": "Exists"},
        {"key": DAEMON[0], "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
    ]
    every = tolerations_of({"tolerations": own})
    assert [each["key"] for each in every] == [
        "gpu",
        *DAEMON,
        *PRESSURE,
        "node.kubernetes.io/unschedulable",
    ]
    assert every[1] == {"key": DAEMON[0], "operator": "Exists", "effect": "NoExecute"}
    assert tolerations_of({"hostNetwork": True})[-1] == {
        "key": "node.kubernetes.io/network-unavailable",
        "operator": "Exists",
        "effect": "NoSchedule",
    }


@pytest.mark.parametrize(
    ("spec", "node", "verdict"),
    [
        ({}, {}, Verdict.RUN),
        ({"nodeSelector": {"disk": "ssd"}}, {}, Verdict.AWAY),
        ({"nodeSelector": {"disk": "ssd"}}, {"labels": {"disk": "ssd"}}, Verdict.RUN),
        ({"nodeName": "node-1"}, {}, Verdict.RUN),
        ({"nodeName": "other"}, {}, Verdict.AWAY),
        ({"nodeName": None, "nodeSelector": None, "tolerations": None}, {}, Verdict.RUN),
        ({}, {"taints": [builders.taint("gpu", "NoSchedule")]}, Verdict.STAY),
        ({}, {"taints": [builders.taint("gpu", "PreferNoSchedule")]}, Verdict.RUN),
        ({}, {"taints": [builders.taint("gpu", "NoExecute")]}, Verdict.AWAY),
        ({}, {"taints": [builders.taint(DAEMON[0], "NoExecute")]}, Verdict.RUN),
        ({}, {"taints": [builders.taint("node.kubernetes.io/unschedulable", "NoSchedule")]}, Verdict.RUN),
        (
            {"tolerations": [{"operator": "Exists"}]},
            {"taints": [builders.taint("gpu", "NoExecute")]},
            Verdict.RUN,
        ),
    ],
)
def test_a_node_is_judged_by_name_labels_and_taints(spec, node, verdict):
    """As the scheduler judges it; a pod that is there stays as long as nothing evicts it."""
    wish = read_wish(daemon_set(pod_spec=spec).spec.template)
    assert judge(wish, builders.node("node-1", **node)) is verdict


def test_required_node_affinity_is_judged_and_then_replaced():
    """The pod's own affinity leads to its node alone; the rest of it stays."""
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
    preferred = [{"weight": 1, "preference": term}]
    of_nodes = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
        "preferredDuringSchedulingIgnoredDuringExecution": preferred,
    }
    spec = {"affinity": {"nodeAffinity": of_nodes, "podAffinity": {}}}
    ds = daemon_set(pod_spec=spec)
    nodes = [builders.node("in", labels={"zone": "a"}), builders.node("out", labels={"zone": "b"})]
    planned = plan_for(ds, nodes)
    assert made_for(planned) == ["in"]
    [write] = of_type(planned, Create)
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["in"]}]}
    assert write.object.spec["affinity"] == {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [by_name]},
            "preferredDuringSchedulingIgnoredDuringExecution": preferred,
        },
        "podAffinity": {},
    }


# --- upkeep


def test_every_node_gets_a_pod_that_names_its_revision_and_its_node():
    """In a slow start, bounded; the template's number stands on it, too."""
    annotations = {"deprecated.daemonset.template.generation": "3"}
    ds = daemon_set(metadata={"annotations": annotations})
    planned = plan_for(ds, [f"node-{number:03}" for number in range(300)])
    [start] = [action for action in planned.actions if isinstance(action, SlowStart)]
    assert len(start.writes) == BURST == 250
    pod = start.writes[0].object
    assert pod.metadata.generateName == "web-"
    assert pod.metadata.labels == {
        "app": "web",
        "controller-revision-hash": "now",
        "pod-template-generation": "3",
    }
    assert events(planned) == [("Normal", "SuccessfulCreate", "Created pod: {name}")] * BURST


TAINTED = builders.node("node-1", taints=[builders.taint("gpu", "NoSchedule")])
EVICTED = builders.node("node-1", taints=[builders.taint("gpu", "NoExecute")])
SURGE = {"surge": 1, "unavailable": 0}


@pytest.mark.parametrize(
    ("node", "states", "fields", "made", "gone"),
    [
        ("node-1", ["ready"], {}, False, []),
        ("node-1", ["waiting"], {}, False, []),
        ("node-1", ["going"], {}, False, []),
        ("node-1", ["going"], SURGE, True, []),
        ("node-1", ["Failed"], {}, False, ["Failed"]),
        ("node-1", ["Failed"], SURGE, True, ["Failed"]),
        ("node-1", ["Succeeded"], {}, False, ["Succeeded"]),
        ("node-1", ["waiting", "unready"], {}, False, ["waiting"]),
        (TAINTED, [], {}, False, []),
        (TAINTED, ["ready"], {}, False, []),
        (TAINTED, ["Failed"], {}, False, ["Failed"]),
        (EVICTED, ["ready", "going"], {}, False, ["ready"]),
        (None, ["ready"], {}, False, []),
        (None, ["waiting"], {}, False, ["waiting"]),
    ],
)
def test_what_a_node_needs(node, states, fields, made, gone):
    """One pod that has not ended, the one that is on it before one that is not yet; on a node that is gone, none."""
    ds = daemon_set(**fields)
    pods = [pod_on(ds, "node-1", state, name=state.lower()) for state in states]
    planned = plan_for(ds, [node] if node else [], *pods)
    assert made_for(planned) == (["node-1"] if made else [])
    assert deleted(planned) == [state.lower() for state in gone]


def test_a_failed_pod_that_is_going_has_left_its_node():
    """The next one need not wait for it."""
    ds = daemon_set()
    pod = changed(pod_on(ds, "node-1", "Failed"), metadata__deletionTimestamp=GONE)
    assert made_for(plan_for(ds, ["node-1"], pod)) == ["node-1"]


def test_failed_pods_are_told_of_and_kept_for_a_while():
    """The longer, the more of them there were."""
    ds = daemon_set()
    pod = pod_on(ds, "node-1", "Failed", name="web-x")
    told = events(plan_for(ds, ["node-1"], pod))
    where = "daemon pod default/web-x on node node-1"
    assert ("Warning", "FailedDaemonPod", f"Found failed {where}, will try to kill it") in told
    kept = plan_for(ds, ["node-1"], pod, waits={"node-1": 4.0})
    assert (deleted(kept), kept.requeue_after_s) == ([], 4.0)
    ended = pod_on(ds, "node-1", "Succeeded", name="web-x")
    told = events(plan_for(ds, ["node-1"], ended))
    assert ("Normal", "SucceededDaemonPod", f"Found succeeded {where}, will try to delete it") in told


def test_the_wait_doubles_up_to_fifteen_minutes_and_is_forgotten_after_thirty():
    """For each node, and each generation, by itself."""
    failures, place, now_s, waits = Failures(), ("uid", 1, "node-1"), 0.0, []
    for _ in range(12):
        failures.note(place, now_s)
        waits.append(failures.wait_s(place, now_s))
        now_s += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert failures.waits("uid", 2, ["node-1"], now_s) == failures.waits("uid", 1, ["node-2"], now_s) == {}
    failures.note(("other", 1, "node-1"), now_s + 3_600)
    assert len(failures) == 1


# --- updates


OLD, NEW = "old", "now"


@pytest.mark.parametrize(
    ("unavailable", "nodes", "gone"),
    [
        (1, [(OLD, "ready"), (OLD, "ready"), (OLD, "ready")], [0]),
        (2, [(OLD, "ready"), (OLD, "ready"), (OLD, "ready")], [0, 1]),
        ("50%", [(OLD, "ready"), (OLD, "ready"), (OLD, "ready")], [0, 1]),  # of 3, rounded up
        (1, [(NEW, "unready"), (OLD, "ready"), (OLD, "ready")], []),
        (1, [(NEW, "young"), (OLD, "ready"), (OLD, "ready")], []),  # ready, not for long enough
        (1, [(OLD, "unready"), (OLD, "ready"), (OLD, "ready")], [0]),  # that one is missing anyway
        (2, [(OLD, "unready"), (OLD, "ready"), (OLD, "ready")], [0, 1]),
        (1, [(OLD, "going"), (OLD, "ready"), (OLD, "ready")], []),
        (1, [(NEW, "ready"), (NEW, "ready"), (OLD, "ready")], [2]),
        (0, [(OLD, "ready")], [0]),  # what cannot be: one is taken
    ],
)
def test_old_pods_go_as_far_as_availability_allows(unavailable, nodes, gone):
    """Those first that are not available anyway."""
    ds = daemon_set(unavailable=unavailable, minReadySeconds=10)
    names = [f"node-{number}" for number in range(len(nodes))]
    pods = [
        pod_on(ds, name, state, digest, name=name) for name, (digest, state) in zip(names, nodes, strict=True)
    ]
    assert deleted(plan_for(ds, names, *pods)) == [names[number] for number in gone]


@pytest.mark.parametrize(
    ("surge", "nodes", "made", "gone"),
    [
        (1, [["old ready"], ["old ready"]], [0], []),
        ("100%", [["old ready"], ["old ready"]], [0, 1], []),
        ("10%", [["old ready"], ["old ready"]], [0], []),
        (1, [["old ready", "now unready"], ["old ready"]], [], []),
        (1, [["old ready", "now ready"], ["old ready"]], [], ["0-old"]),
        (1, [["old unready"], ["old ready"]], [0, 1], []),  # a replacement is no surge
        (1, [["old unready", "now unready"], ["now ready"]], [], ["0-old"]),
    ],
)
def test_new_pods_are_made_beside_old_ones(surge, nodes, made, gone):
    """An old one goes when the new one is available, or when it is of no use itself."""
    ds = daemon_set(surge=surge, unavailable=0)
    pods = [
        pod_on(ds, f"node-{number}", pod.split()[1], pod.split()[0], name=f"{number}-{pod.split()[0]}")
        for number, on_node in enumerate(nodes)
        for pod in on_node
    ]
    planned = plan_for(ds, [f"node-{number}" for number in range(len(nodes))], *pods)
    assert made_for(planned) == [f"node-{number}" for number in made]
    assert deleted(planned) == gone


def test_with_surge_an_old_pod_on_a_node_that_suits_no_more_waits_for_others():
    """The application keeps as many available pods as there are nodes for it."""
    ds = daemon_set(**SURGE)
    left, right = TAINTED, builders.node("node-2")
    old = pod_on(ds, "node-1", "ready", OLD, name="old")
    assert deleted(plan_for(ds, [left, right], old, pod_on(ds, "node-2", "unready"))) == []
    assert deleted(plan_for(ds, [left, right], old, pod_on(ds, "node-2", "ready"))) == ["old"]


def test_on_delete_leaves_old_pods_alone():
    """Somebody else deletes them; then new ones are made."""
    ds = daemon_set(updateStrategy=DaemonSetUpdateStrategy(type="OnDelete"))
    planned = plan_for(ds, ["node-1", "node-2"], pod_on(ds, "node-1", digest=OLD))
    assert (made_for(planned), deleted(planned)) == (["node-2"], [])


def test_nothing_is_rolled_on_before_every_node_has_what_it_needs():
    """One step at a time: what upkeep did has to be seen first."""
    ds = daemon_set(unavailable=3)
    planned = plan_for(ds, ["node-1", "node-2"], pod_on(ds, "node-1", digest=OLD))
    assert (made_for(planned), deleted(planned)) == (["node-2"], [])


# --- history


def test_the_first_revision_is_made_before_any_pod():
    """With the template, and the annotations: `kubectl rollout history` shows the change cause."""
    ds = daemon_set(metadata={"annotations": {"kubernetes.io/change-cause": "first"}})
    planned = plan_for(ds, ["node-1"], revisions=[])
    revision, pod = of_type(planned, Create)
    assert (revision.resource, pod.resource.plural) == (CONTROLLER_REVISIONS, "pods")
    made = revision.object
    assert (made.revision, made.data) == (1, data_of(ds.spec.template))
    assert made.metadata.annotations == ds.metadata.annotations
    assert made.metadata.ownerReferences == [owner(ds)]
    hash_ = pod.object.metadata.labels["controller-revision-hash"]
    assert made.metadata.name == f"web-{hash_}"


def test_an_undone_update_makes_its_revision_the_last_one_again():
    """And its pods are the new ones."""
    ds = daemon_set()
    other = revision_of(ds, 2, OLD, data=data_of(template("app:2")))
    planned = plan_for(ds, ["node-1"], pod_on(ds, "node-1", digest=OLD), revisions=[revision_of(ds), other])
    patch = next(write for write in of_type(planned, Patch) if write.resource is CONTROLLER_REVISIONS)
    assert (patch.name, patch.patch["revision"]) == ("web-now", 3)
    assert deleted(planned) == ["node-1-old-ready"]


def test_another_template_with_the_same_name_is_a_collision():
    """Counted, and tried again under another name."""
    ds = daemon_set()
    [write] = of_type(plan_for(ds, [], revisions=[]), Create)
    stranger = changed(write.object, data={"spec": {}}, metadata__ownerReferences=[])
    planned = plan_for(ds, ["node-1"], revisions=[], named=[stranger])
    assert (status_of(planned), of_type(planned, Create)) == ({"collisionCount": 1}, [])
    again = msgspec.convert(msgspec.to_builtins(ds) | {"status": _status(collisionCount=1)}, type(ds))
    [renamed] = of_type(plan_for(again, [], revisions=[], named=[stranger]), Create)
    assert renamed.object.metadata.name != stranger.metadata.name


def test_old_revisions_go_beyond_the_limit_and_not_while_pods_are_of_them():
    """The oldest first; those that stay because of their pods count."""
    ds = daemon_set(revisionHistoryLimit=2)
    past = [revision_of(ds, n, f"r{n}", data=data_of(template(f"app:0{n}"))) for n in (1, 2, 3, 4)]
    pods = [pod_on(ds, "node-1"), pod_on(ds, "node-2", digest="r1")]
    ds = changed(ds, spec__updateStrategy=DaemonSetUpdateStrategy(type="OnDelete"))
    planned = plan_for(ds, ["node-1", "node-2"], *pods, revisions=[*past, revision_of(ds, 5)])
    assert deleted(planned) == ["web-r2", "web-r3"]


# --- status


def _status(**fields):
    counts = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
    return dict.fromkeys(counts, 0) | fields


def test_the_status_counts_nodes():
    """A node with two pods counts once, by the older one; misscheduled is where none has to be."""
    ds = daemon_set(metadata={"generation": 4}, minReadySeconds=30)
    out = builders.node("out", taints=[builders.taint("gpu", "NoSchedule")])
    pods = [
        pod_on(ds, "a", "ready"),
        pod_on(ds, "b", "young"),
        pod_on(ds, "c", "unready", OLD, created=at(-600)),
        pod_on(ds, "c", "ready", created=at(-60)),
        pod_on(ds, "out", "ready"),
        pod_on(ds, "gone", "ready"),
    ]
    planned = plan_for(ds, ["a", "b", "c", "d", out], *pods)
    assert status_of(planned) == {
        "desiredNumberScheduled": 4,
        "currentNumberScheduled": 3,
        "numberMisscheduled": 1,
        "numberReady": 2,
        "updatedNumberScheduled": 2,
        "numberAvailable": 1,
        "numberUnavailable": 3,
        "observedGeneration": 4,
    }
    assert planned.requeue_after_s == pytest.approx(25)


def test_a_second_look_writes_nothing():
    """Level-based."""
    ds = daemon_set()
    pod = pod_on(ds, "node-1")
    status = _status(**status_of(plan_for(ds, ["node-1"], pod)))
    told = msgspec.convert(msgspec.to_builtins(ds) | {"status": status}, type(ds))
    assert plan_for(told, ["node-1"], pod).actions == ()


# --- ownership


def test_pods_and_revisions_of_nobody_are_adopted_after_one_live_look():
    """Nothing is made until they are seen as its own: they may be enough."""
    ds = daemon_set()
    pod = changed(pod_on(ds, "node-1"), metadata__ownerReferences=[])
    revision = changed(revision_of(ds), metadata__ownerReferences=[])
    view = seen(ds, ["node-1"], [pod], revisions=[revision])
    [need] = plan(view, moment()).needs
    planned = plan(view, moment(), Facts(objects={need: ds.metadata}))
    assert {write.name for write in of_type(planned, Patch)} == {pod.metadata.name, "web-now"}
    assert not of_type(planned, Create)


def test_one_that_is_being_deleted_is_left_alone():
    """Its pods are the garbage collector's."""
    ds = daemon_set(metadata={"deletionTimestamp": GONE, "finalizers": ["foregroundDeletion"]})
    assert plan_for(ds, ["node-1"]).actions == ()


# --- whom a change concerns


def reader_with(*daemon_sets):
    reader = Reader(Caches())
    for ds in daemon_sets:
        reader.daemon_sets.store.put(ds)
    return reader


@pytest.mark.parametrize(
    ("old", "new", "concerns"),
    [
        (None, {}, True),
        (None, {"labels": {"os": "windows"}}, False),
        ({}, None, True),
        ({}, {"unschedulable": True}, False),
        ({}, {"taints": [builders.taint("gpu", "NoSchedule")]}, True),
        ({}, {"taints": [builders.taint(DAEMON[0], "NoExecute")]}, False),
        ({}, {"labels": {"os": "linux", "more": "1"}}, False),
    ],
)
def test_a_node_concerns_those_to_which_it_is_something_else_than_before(old, new, concerns):
    """A heartbeat concerns nobody."""
    reader = reader_with(daemon_set(pod_spec={"nodeSelector": {"os": "linux"}}))
    old, new = (
        None if fields is None else builders.node("node-1", **{"labels": {"os": "linux"}, **fields})
        for fields in (old, new)
    )
    kind = EventType.ADDED if old is None else EventType.DELETED if new is None else EventType.MODIFIED
    assert list(reader.daemon_sets_of_node(Change(kind, old, new))) == [("default", "web")] * concerns


def test_a_failed_pod_that_is_deleted_makes_the_next_one_wait():
    """Whoever deleted it."""
    ds = daemon_set()
    reader = reader_with(ds)
    failed = pod_on(ds, "node-1", "Failed")
    reader.note_pod(Change(EventType.DELETED, failed, None), 0.0)
    reader.pods.store.put(failed)
    view = reader.look(("default", "web"), moment())
    assert view is not None
    assert view.waits == {"node-1": 1.0}
    assert set(reader.daemon_sets_of_pod(Change(EventType.MODIFIED, failed, failed))) == {("default", "web")}
