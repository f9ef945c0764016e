"""The fields of an object that a cache keeps."""

import pytest
from msgspec.structs import replace

from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import Container, ContainerPort, Pod
from tests.support import builders
from tests.support.builders import changed

POD = changed(
    builders.pod("web", node="node-1", ready=True, labels={"app": "web"}),
    metadata__annotations={"example.com/cost": "7", "example.com/note": "long"},
    spec__containers=[Container(name="main", image="app:1", ports=[ContainerPort(containerPort=80)])],
    spec__serviceAccountName="default",
)


def kept(*paths: str) -> Pod:
    return trimmer(Pod, paths)(POD)


def test_which_object_it_is_is_always_kept():
    """Name, namespace, uid and revision; nothing else that nobody reads."""
    pod = kept()
    for field in ("name", "namespace", "uid", "resourceVersion"):
        assert getattr(pod.metadata, field) == getattr(POD.metadata, field)
    assert pod.metadata.labels == {}
    assert (pod.spec.nodeName, pod.status.conditions) == ("", [])


def test_a_field_is_kept_and_its_neighbours_are_not():
    """By its path."""
    pod = kept("spec.nodeName")
    assert (pod.spec.nodeName, pod.spec.serviceAccountName, pod.spec.containers) == ("node-1", "", [])


def test_a_path_leads_through_the_items_of_a_list():
    """What an item has to have is there, and empty."""
    [container] = kept("spec.containers.ports").spec.containers
    assert (container.ports, container.image, container.name) == ([ContainerPort(containerPort=80)], "", "")


def test_one_entry_of_a_map_is_kept():
    """The others go."""
    pod = kept("metadata.annotations[example.com/cost]")
    assert pod.metadata.annotations == {"example.com/cost": "7"}


def test_a_whole_part_takes_in_the_paths_below_it():
    """Whichever is named first."""
    assert kept("status", "status.phase").status == POD.status
    assert kept("status.phase", "status").status == POD.status


def test_a_whole_object_is_not_touched():
    """Nothing is copied."""
    assert kept("", "status.phase") is POD


def test_a_part_that_is_absent_stays_so():
    """An optional Struct that is None."""
    assert kept("spec.affinity.nodeAffinity").spec.affinity is None


def test_a_path_that_leads_nowhere_is_refused():
    """A controller that misspells a field does not start."""
    with pytest.raises(ValueError, match="PodSpec has no field nodename"):
        trimmer(Pod, ("spec.nodename",))


def test_what_keeps_the_same_is_compiled_once():
    """In whatever order the fields are named; a process has a cache for each kind, and most keep the same of it."""
    assert trimmer(Pod, ("spec.nodeName", "status")) is trimmer(
        Pod, ["status", "spec.nodeName", "metadata.name"]
    )
    assert trimmer(Pod, ("spec.nodeName",)) is not trimmer(Pod, ("status",))


def test_what_is_trimmed_again_stays_as_it_is():
    """The last state of a deleted object is trimmed as the first was."""
    reduce = trimmer(Pod, ("spec.nodeName", "status.conditions"))
    assert reduce(reduce(POD)) == reduce(POD)
    assert reduce(replace(POD, spec=replace(POD.spec, nodeName=""))).spec.nodeName == ""
