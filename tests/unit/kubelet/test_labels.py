from kubelet.core import labels
from kubelet.core.observed import ContainerState, ObservedPod, pod_of, read_container
from machinery.model.clock import Timescale
from machinery.model.k8s.core_v1 import ContainerPort, ExecAction, Lifecycle, LifecycleHandler
from machinery.pb import cri_pb2 as cri
from tests.support.builders import container, pod

HOOK = LifecycleHandler(exec=ExecAction(command=["sleep", "5"]))


def spec():
    main = container(
        lifecycle=Lifecycle(preStop=HOOK),
        ports=[ContainerPort(name="web", containerPort=80)],
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    return pod(containers=[main], terminationGracePeriodSeconds=45, labels={"app": "web"})


def test_the_keys_are_those_that_node_tools_look_for():
    """Identity as labels on sandbox and container; the pod's own labels on the sandbox only."""
    found = spec()
    identity = {
        "io.kubernetes.pod.name": "web",
        "io.kubernetes.pod.namespace": "default",
        "io.kubernetes.pod.uid": "uid-default-web",
    }
    assert labels.sandbox_labels(found) == {"app": "web", **identity}
    assert labels.container_labels(found, found.spec.containers[0]) == {
        **identity,
        "io.kubernetes.container.name": "main",
    }


def test_what_a_container_remembers_comes_back():
    """Restart count, grace period, preStop and ports go through the annotations of a running container."""
    found = spec()
    status = cri.ContainerStatus(
        id="c1",
        metadata=cri.ContainerMetadata(name="main", attempt=3),
        state=cri.CONTAINER_RUNNING,
        created_at=1_000_000_000,
        labels=labels.container_labels(found, found.spec.containers[0]),
        annotations=labels.container_annotations(found, found.spec.containers[0], restart_count=3),
    )
    seen = read_container(status, "s1", Timescale(20))
    assert (seen.restart_count, seen.grace_s, seen.pre_stop) == (3, 45, HOOK)
    assert (seen.state, seen.created_s) == (ContainerState.RUNNING, 20.0)
    made_up = pod_of(ObservedPod("u", "default", "web", (), (seen,)))
    assert made_up.spec.terminationGracePeriodSeconds == 45
    assert made_up.spec.containers[0].lifecycle.preStop == HOOK
    assert made_up.spec.containers[0].ports[0].containerPort == 80


def test_annotations_of_others_do_no_harm():
    """What cannot be read is as if it were not there."""
    bad = {labels.RESTART_COUNT: "many", labels.PRE_STOP: "{", labels.GRACE: "-"}
    assert labels.read_restart_count(bad, 2) == 2
    assert labels.read_pre_stop(bad) is None
    assert labels.read_grace_s(bad) is None


def test_the_hash_is_about_name_and_image():
    """Another image is another hash, another command is not."""
    base = labels.container_hash(container())
    assert labels.container_hash(container(image="app:2")) != base
    assert labels.container_hash(container(command=["x"])) == base
