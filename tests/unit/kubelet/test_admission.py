import pytest

from kubelet.core.admission import MAX_CONTAINERS, Abilities, Rejection, admit
from kubelet.core.sysctls import allowed_sysctls
from kubelet.core.taken import Taken
from machinery.model.k8s.core_v1 import (
    Affinity,
    AppArmorProfile,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodOS,
    PodSecurityContext,
    SecurityContext,
    Sysctl,
)
from machinery.model.taints import MEMORY_PRESSURE
from tests.support.builders import changed, container, pod, toleration

NODE = {"cpu": "2", "memory": "1Gi", "pods": "3"}
ABLE = Abilities()


def affinity(key: str, operator: str, *values: str, field: bool = False) -> Affinity:
    item = NodeSelectorRequirement(key=key, operator=operator, values=list(values))
    term = NodeSelectorTerm(matchFields=[item]) if field else NodeSelectorTerm(matchExpressions=[item])
    selector = NodeSelector(nodeSelectorTerms=[term])
    return Affinity(nodeAffinity=NodeAffinity(requiredDuringSchedulingIgnoredDuringExecution=selector))


@pytest.mark.parametrize(
    ("requests", "others", "reason"),
    [
        ({"cpu": "2"}, [], None),
        ({"cpu": "2001m"}, [], "OutOfcpu"),
        ({"cpu": "1500m"}, [pod(requests={"cpu": "600m"})], "OutOfcpu"),
        ({"cpu": "1500m"}, [pod(requests={"cpu": "600m"}, phase="Succeeded")], None),
        ({"memory": "2Gi"}, [], "OutOfmemory"),
        ({}, [pod("a"), pod("b"), pod("c")], "OutOfpods"),
        ({"example.com/gpu": "1"}, [], "OutOfexample.com/gpu"),
        ({"example.com/licence": "1"}, [], None),
    ],
)
def test_what_does_not_fit_is_refused(requests, others, reason):
    """Pods that have ended hold nothing; what the node does not know of is not its to refuse."""
    found = admit(pod("new", requests=requests), Taken(others), {**NODE, "example.com/gpu": "0"}, {}, ABLE)
    assert (found.reason if found else None) == reason


ASKS = pod("asks", requests={"memory": "1Mi"})
BEST_EFFORT = pod("best")
TOLERANT = pod("tolerant", tolerations=[toleration(MEMORY_PRESSURE, operator="Exists")])
CRITICAL = pod("critical", priority=2_000_000_000)


@pytest.mark.parametrize(
    ("pressures", "refused", "text"),
    [
        ((), (), ""),
        (["MemoryPressure"], [BEST_EFFORT], "[MemoryPressure]"),
        (["DiskPressure"], [ASKS, BEST_EFFORT, TOLERANT], "[DiskPressure]"),
        (["PIDPressure"], [ASKS, BEST_EFFORT, TOLERANT], "[PIDPressure]"),
        (
            ["MemoryPressure", "DiskPressure"],
            [ASKS, BEST_EFFORT, TOLERANT],
            "[DiskPressure MemoryPressure]",
        ),
    ],
)
def test_a_node_that_is_short_of_something_takes_few_pods(
    pressures: list[str], refused: list[Pod], text: str
):
    """Short of memory those that ask for some, or tolerate it; the cluster's own always."""
    able = Abilities(pressures=frozenset(pressures))
    rejection = Rejection("Evicted", f"The node had condition: {text}. ")
    for new in (ASKS, BEST_EFFORT, TOLERANT, CRITICAL):
        assert admit(new, Taken(), NODE, {}, able) == (rejection if new in refused else None)


def test_a_pod_of_too_many_containers_is_refused():
    """Init containers count."""
    boxes = [container(f"c{number}") for number in range(MAX_CONTAINERS)]
    assert admit(pod(containers=boxes), Taken(), NODE, {}, ABLE) is None
    found = admit(pod(containers=boxes, initContainers=[container("init")]), Taken(), NODE, {}, ABLE)
    assert found is not None
    assert (found.reason, "at most 500 containers, not of 501" in found.message) == (
        "TooManyContainers",
        True,
    )


def test_the_message_has_the_numbers():
    """Requested, used and capacity, as upstream writes them."""
    found = admit(pod("new", requests={"cpu": "3"}), Taken([pod(requests={"cpu": "500m"})]), NODE, {}, ABLE)
    expected = "Node didn't have enough resource: cpu, requested: 3000, used: 500, capacity: 2000"
    assert found.message == expected


@pytest.mark.parametrize(
    ("spec", "labels", "admitted"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, {"disk": "ssd"}, True),
        ({"nodeSelector": {"disk": "ssd"}}, {}, False),
        ({"nodeSelector": {"disk": "ssd"}}, None, True),
        ({"affinity": affinity("disk", "In", "ssd")}, {"disk": "hdd"}, False),
        ({"affinity": affinity("disk", "NotIn", "ssd")}, {}, True),
        ({"affinity": affinity("cores", "Gt", "4")}, {"cores": "8"}, True),
        ({"affinity": affinity("metadata.name", "In", "node-1", field=True)}, {}, True),
        ({"affinity": affinity("metadata.name", "In", "node-2", field=True)}, {}, False),
    ],
)
def test_a_pod_that_belongs_elsewhere_is_refused(spec, labels, admitted):
    """NodeSelector and required node affinity; labels that are not known yet are not checked."""
    found = admit(pod("new", node="node-1", **spec), Taken(), NODE, labels, ABLE)
    assert found is None if admitted else found.reason == "NodeAffinity"


def holding(name: str, port: int, **fields) -> Pod:
    return pod(name, containers=[container(ports=[ContainerPort(containerPort=80, hostPort=port, **fields)])])


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (holding("old", 8080), "NodePorts"),
        (holding("old", 8080, protocol="TCP", hostIP="10.0.0.1"), "NodePorts"),
        (holding("old", 8080, protocol="UDP"), None),
        (holding("old", 8081), None),
        (changed(holding("old", 8080), status__phase="Failed"), None),
    ],
)
def test_a_port_of_the_node_is_given_once(other, reason):
    """Whoever bound the second pod past the scheduler is told."""
    found = admit(holding("new", 8080), Taken([other]), NODE, {}, ABLE)
    assert (found.reason if found else None) == reason


def test_the_same_port_on_another_address_is_another_port():
    """Only the unspecified address stands for all."""
    others = [holding("old", 8080, hostIP="10.0.0.1")]
    assert admit(holding("new", 8080, hostIP="10.0.0.2"), Taken(others), NODE, {}, ABLE) is None
    assert admit(holding("new", 8080, hostIP="10.0.0.1"), Taken(others), NODE, {}, ABLE).reason == "NodePorts"


def setting(*names: str, **spec) -> Pod:
    """Return a pod that sets kernel parameters."""
    context = PodSecurityContext(sysctls=[Sysctl(name=name, value="1") for name in names])
    return pod("new", securityContext=context, **spec)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (setting("net.ipv4.tcp_syncookies", "kernel/shm_rmid_forced"), None),
        (setting("net.core.somaxconn"), 'forbidden sysctl: "net.core.somaxconn" not allowlisted'),
        (
            setting("kernel.shm_rmid_forced", "kernel/msgmax"),
            'forbidden sysctl: "kernel.msgmax" not allowlisted',
        ),
        (setting("vm.swappiness"), 'forbidden sysctl: "vm.swappiness" not allowlisted'),
        (
            setting("net.ipv4.tcp_syncookies", hostNetwork=True),
            'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled',
        ),
        (
            setting("kernel.shm_rmid_forced", hostIPC=True),
            'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host ipc enabled',
        ),
    ],
)
def test_kernel_parameters_that_reach_others_are_forbidden(new, message):
    """The safe ones are allowed; the reason is upstream's."""
    found = admit(new, Taken(), NODE, {}, Abilities(allowed_sysctls("5.15.0-91-generic")))
    assert found == (Rejection("SysctlForbidden", message) if message else None)


def test_the_nodes_owner_allows_more_of_them():
    """By name or by how names begin; what is shared stays forbidden."""
    able = Abilities(allowed_sysctls("6.1", ["net.core.somaxconn", "kernel.msg*"]))
    assert admit(setting("net.core.somaxconn", "kernel.msgmax"), Taken(), NODE, {}, able) is None
    assert admit(setting("net.core.rmem_max"), Taken(), NODE, {}, able).reason == "SysctlForbidden"
    assert admit(setting("kernel.msgmax", hostIPC=True), Taken(), NODE, {}, able).reason == "SysctlForbidden"


def test_a_pod_of_another_system_is_refused():
    """Nodes run Linux."""
    text = "Failed to admit pod as the OS field doesn't match node OS"
    found = admit(pod(os=PodOS(name="windows")), Taken(), NODE, {}, ABLE)
    assert found == Rejection("PodOSNotSupported", text)
    assert admit(pod(os=PodOS(name="linux")), Taken(), NODE, {}, ABLE) is None


def test_groups_of_the_image_need_a_runtime_that_leaves_them_out():
    """A pod that must not have them is refused where the runtime does not know how."""
    strict = pod("new", securityContext=PodSecurityContext(supplementalGroupsPolicy="Strict"))
    text = "SupplementalGroupsPolicy=Strict is not supported in this node"
    assert admit(strict, Taken(), NODE, {}, ABLE) == Rejection("SupplementalGroupsPolicyNotSupported", text)
    assert admit(strict, Taken(), NODE, {}, Abilities(keeps_groups_apart=True)) is None


@pytest.mark.parametrize(
    ("of_pod", "of_container", "refused"),
    [
        (None, None, False),
        ("RuntimeDefault", None, True),
        ("Localhost", None, True),
        (None, "Localhost", True),
        ("Unconfined", None, False),
        ("RuntimeDefault", "Unconfined", False),
        ("Unconfined", "RuntimeDefault", True),
    ],
)
def test_a_profile_needs_app_armor(of_pod, of_container, refused):
    """A container's own goes before its pod's; to be unconfined needs nothing."""
    own, common = (AppArmorProfile(type=type_) if type_ else None for type_ in (of_container, of_pod))
    box = container(securityContext=SecurityContext(appArmorProfile=own))
    new = pod("new", containers=[box], securityContext=PodSecurityContext(appArmorProfile=common))
    expected = Rejection("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")
    assert admit(new, Taken(), NODE, {}, ABLE) == (expected if refused else None)
    assert admit(new, Taken(), NODE, {}, Abilities(has_app_armor=True)) is None
