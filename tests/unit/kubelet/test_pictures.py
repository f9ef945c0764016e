"""What is asked of the runtime, and what is made of its answers."""

from __future__ import annotations

from typing import Any

import pytest

from kubelet.core import labels, pictures
from kubelet.core.observed import ContainerState, ObservedPod, observe_pod
from kubelet.core.pictures import (
    Answers,
    ContainerEnded,
    Listing,
    Look,
    Pictures,
    Questions,
    SandboxStopped,
)
from machinery.model.clock import Timescale
from machinery.pb import cri_pb2 as cri
from tests.support.pod_life import ended, run, sandbox

UID = "u1"
OWN = {labels.POD_UID: UID, labels.POD_NAMESPACE: "default", labels.POD_NAME: "web"}
RUNNING = observe_pod(UID, "default", "web", [sandbox()], [run()])


def listed_sandbox(id_: str = "sandbox-0", attempt: int = 0, *, is_ready: bool = True, **own: str) -> Any:
    """Build one item of ListPodSandbox."""
    state = cri.SANDBOX_READY if is_ready else cri.SANDBOX_NOTREADY
    return cri.PodSandbox(
        id=id_, metadata=cri.PodSandboxMetadata(attempt=attempt), state=state, labels={**OWN, **own}
    )


def listed(id_: str = "main-0", state: int = cri.CONTAINER_RUNNING, **own: str) -> Any:
    """Build one item of ListContainers."""
    return cri.Container(id=id_, pod_sandbox_id="sandbox-0", state=state, labels={**OWN, **own})  # type: ignore[arg-type]


def event(kind: int, container_id: str = "main-0", *states: int) -> Any:
    """Build an event, with the statuses that it carries."""
    statuses = [cri.ContainerStatus(id=container_id, state=state) for state in states]  # type: ignore[arg-type]
    return cri.ContainerEventResponse(
        container_id=container_id,
        container_event_type=kind,  # type: ignore[arg-type]
        containers_statuses=statuses,
    )


def test_lists_are_sorted_by_pod_and_what_is_nobody_s_is_left_out():
    """A pod that was known and is in no list has an empty one: it is gone."""
    other = {labels.POD_UID: "u2"}
    found = pictures.by_pod(
        [listed_sandbox(), cri.PodSandbox(id="stranger")], [listed(), listed("c2", **other)], ["old"]
    )
    assert {uid: (len(each.sandboxes), len(each.containers)) for uid, each in found.items()} == {
        "old": (0, 0),
        UID: (1, 1),
        "u2": (0, 1),
    }


@pytest.mark.parametrize(
    "listing",
    [
        Listing([], [listed()]),
        Listing([listed_sandbox(is_ready=False)], [listed()]),
        Listing([listed_sandbox()], []),
        Listing([listed_sandbox()], [listed(state=cri.CONTAINER_EXITED)]),
        Listing([listed_sandbox()], [listed(), listed("new")]),
    ],
)
def test_a_list_that_shows_anything_else_is_news(listing):
    """And one that shows the same is none."""
    assert pictures.has_changed(RUNNING, listing)
    assert not pictures.has_changed(RUNNING, Listing([listed_sandbox()], [listed()]))


def test_only_what_is_not_known_is_asked_about():
    """Of a sandbox that has stopped everything else is known; a container in another state has more to tell."""
    known = observe_pod(UID, "default", "web", [sandbox(), sandbox(1, is_ready=False)], [run(), run("b")])
    listing = Listing(
        [listed_sandbox(is_ready=False), listed_sandbox("sandbox-1", 1), listed_sandbox("sandbox-2", 2)],
        [listed(), listed("b-0", cri.CONTAINER_EXITED), listed("c-0")],
    )
    assert pictures.questions(known, listing) == Questions(["sandbox-1", "sandbox-2"], ["b-0", "c-0"])


def test_a_picture_is_made_of_what_was_known_what_is_listed_and_what_was_answered():
    """A container that is not listed any more is gone; identity comes from the labels."""
    known = observe_pod(UID, "", "", [sandbox()], [run(), run("gone")])
    listing = Listing([listed_sandbox(is_ready=False)], [listed(), listed("b-0")])
    made = pictures.compose(known, listing, Answers(containers={"b-0": ended("b", code=3)}))
    assert (made.uid, made.namespace, made.name) == (UID, "default", "web")
    assert made.sandboxes == (sandbox(is_ready=False),)
    assert {each.id: each.exit_code for each in made.containers} == {"main-0": 0, "b-0": 3}


def test_what_goes_between_the_list_and_the_question():
    """A sandbox that is gone is not ready; a container that is gone is none."""
    listing = Listing([listed_sandbox("s9", 9)], [listed("c9")])
    made = pictures.compose(ObservedPod(UID), listing, Answers({"s9": None}, {"c9": None}))
    assert [(each.id, each.attempt, each.is_ready) for each in made.sandboxes] == [("s9", 9, False)]
    assert made.containers == ()


def test_an_answer_replaces_what_was_known_of_the_same_container():
    """By its id; the others stay."""
    made = pictures.with_container(RUNNING, ended(code=1))
    assert [(each.id, each.state, each.exit_code) for each in made.containers] == [
        ("main-0", ContainerState.EXITED, 1)
    ]
    both = pictures.with_sandbox(made, sandbox(1), namespace="default", name="web")
    assert [each.id for each in both.sandboxes] == ["sandbox-1", "sandbox-0"]


def test_a_picture_is_news_once():
    """An empty one of a pod that was not known is none at all."""
    kept = Pictures()
    assert not kept.put(ObservedPod(UID))
    assert kept.put(RUNNING)
    assert not kept.put(RUNNING)
    assert kept.uids == (UID,)
    assert kept.put(ObservedPod(UID))
    assert kept.uids == ()


def test_pictures_never_go_back_in_time():
    """What was asked before a newer answer came is old, also when the pod is gone meanwhile."""
    kept = Pictures()
    kept.put(RUNNING)
    asked_at = kept.serial
    assert kept.is_newest(UID, asked_at)
    kept.put(ObservedPod(UID))
    assert not kept.is_newest(UID, asked_at)
    kept.forget_marks(asked_at)
    assert not kept.is_newest(UID, asked_at)
    kept.forget_marks(kept.serial)
    assert kept.is_newest(UID, kept.serial)
    assert kept.is_newest("other", asked_at)


@pytest.mark.parametrize(
    ("told", "meaning"),
    [
        (event(cri.CONTAINER_STARTED_EVENT), Look.AT_NOTHING),
        (event(cri.CONTAINER_CREATED_EVENT, "new"), Look.AT_NOTHING),
        (event(cri.CONTAINER_DELETED_EVENT), Look.AT_POD),
        (event(cri.CONTAINER_DELETED_EVENT, "new"), Look.AT_NOTHING),
        (event(cri.CONTAINER_STOPPED_EVENT, "new", cri.CONTAINER_EXITED), Look.AT_POD),
        (event(cri.CONTAINER_STOPPED_EVENT), Look.AT_POD),
        (event(cri.CONTAINER_STOPPED_EVENT, "main-0", cri.CONTAINER_RUNNING), Look.AT_POD),
    ],
)
def test_events_that_do_not_say_enough_are_looked_into(told, meaning):
    """Starts are no news: whoever starts a container looks at it."""
    assert pictures.read_event(told, RUNNING) is meaning


def test_the_end_of_a_known_container_is_taken_as_it_is_told():
    """Once: what is known to have ended does not end again."""
    told = event(cri.CONTAINER_STOPPED_EVENT, "main-0", cri.CONTAINER_EXITED)
    assert pictures.read_event(told, RUNNING) == ContainerEnded(told.containers_statuses[0], "sandbox-0")
    over = pictures.with_container(RUNNING, ended())
    assert pictures.read_event(told, over) is Look.AT_NOTHING


@pytest.mark.parametrize(
    ("failures", "scale", "is_streaming", "pause_s"),
    [(0, 1, False, 1.0), (0, 1, True, 30.0), (0, 20, False, 5.0), (0, 20, True, 600.0), (1, 20, True, 2.0)],
)
def test_looks_come_as_often_as_the_wall_and_the_events_allow(failures, scale, is_streaming, pause_s):
    """Every cluster second, at most four times a wall second; seldom beside events; soon after a failure."""
    assert pictures.pause_s(failures, Timescale(scale), is_streaming=is_streaming) == pause_s


def test_what_has_been_removed_is_off_the_picture():
    """A container alone; a sandbox with all that was in it."""
    (run,) = RUNNING.containers
    (sandbox,) = RUNNING.sandboxes
    assert pictures.without_container(RUNNING, run.id).containers == ()
    assert pictures.without_container(RUNNING, "another") == RUNNING
    assert pictures.without_sandbox(RUNNING, sandbox.id).is_empty
    assert pictures.without_sandbox(RUNNING, "another") == RUNNING


def sandbox_event(kind: int, id_: str = "sandbox-0", *, is_ready: bool = False, **own: Any) -> Any:
    """Build an event about a sandbox."""
    state = cri.SANDBOX_READY if is_ready else cri.SANDBOX_NOTREADY
    return cri.ContainerEventResponse(
        container_id=id_,
        container_event_type=kind,  # type: ignore[arg-type]
        pod_sandbox_status=cri.PodSandboxStatus(id=id_, state=state, **own),
    )


STOP = cri.CONTAINER_STOPPED_EVENT


@pytest.mark.parametrize(
    ("told", "containers", "meaning"),
    [
        (sandbox_event(STOP), [ended()], SandboxStopped("sandbox-0")),
        (sandbox_event(STOP), [], SandboxStopped("sandbox-0")),
        (sandbox_event(STOP), [run()], Look.AT_POD),  # what ran in it has ended, too
        (sandbox_event(STOP, is_ready=True), [ended()], Look.AT_POD),  # it does not say so
        (sandbox_event(STOP, "other"), [ended()], Look.AT_NOTHING),
        (sandbox_event(cri.CONTAINER_DELETED_EVENT), [ended()], Look.AT_NOTHING),
    ],
)
def test_the_stop_of_a_sandbox_in_which_nothing_runs_is_taken_as_it_is_told(told, containers, meaning):
    """With something in it that may run the pod is looked at; one that is not known was removed, or is just being made."""
    known = observe_pod(UID, "default", "web", [sandbox()], containers)
    assert pictures.read_event(told, known) == meaning
    stopped = pictures.with_stopped_sandbox(known, "sandbox-0")
    assert stopped.sandboxes == (sandbox(is_ready=False),)
    assert pictures.read_event(told, stopped) is Look.AT_NOTHING


def test_a_start_that_an_event_tells_whole_need_not_be_asked_about():
    """A sandbox with its address, or on the node's network; a container that runs or has ended already."""
    start, address = cri.CONTAINER_STARTED_EVENT, cri.PodSandboxNetworkStatus(ip="10.0.0.9")
    on_node = cri.LinuxPodSandboxStatus(
        namespaces=cri.Namespace(options=cri.NamespaceOption(network=cri.NODE))
    )
    assert pictures.told_sandbox(sandbox_event(start, is_ready=True, network=address)) is not None
    assert pictures.told_sandbox(sandbox_event(start, is_ready=True, linux=on_node)) is not None
    assert pictures.told_sandbox(sandbox_event(start, is_ready=True)) is None
    assert pictures.told_sandbox(sandbox_event(start, network=address)) is None
    for state, is_told in (
        (cri.CONTAINER_CREATED, False),
        (cri.CONTAINER_RUNNING, True),
        (cri.CONTAINER_EXITED, True),
    ):
        assert (pictures.told_container(event(start, "main-0", state)) is not None) is is_told
    assert pictures.told_container(event(start)) is None


@pytest.mark.parametrize(
    ("failures", "is_streaming", "pause_s"), [(0, True, 300.0), (0, False, 1.0), (1, True, 0.1)]
)
def test_a_runtime_that_tells_every_event_is_looked_at_seldom(failures, is_streaming, pause_s):
    """While its stream is there; a look that failed comes again as soon as any."""
    found = pictures.pause_s(failures, Timescale(1.0), is_streaming=is_streaming, is_trusted=True)
    assert found == pause_s
