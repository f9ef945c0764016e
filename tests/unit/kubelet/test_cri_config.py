"""Pods and containers as the CRI is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from kubelet.core.cgroups import MAX_BYTES, MAX_QUOTA_US
from kubelet.core.cri_config import container_config, container_resources, sandbox_config
from kubelet.core.environment import ProcessStrings
from kubelet.core.network_files import (
    ClusterDns,
    Dns,
    PodDns,
    host_network_hosts_file,
    hosts_file,
    kernel_hostname,
    plan_dns,
    pod_hostname,
    read_resolv_conf,
)
from kubelet.core.security import container_security, needs_image_user, security_problem
from machinery.model.k8s.core_v1 import (
    Capabilities,
    Container,
    ContainerPort,
    EnvVar,
    HostAlias,
    Lifecycle,
    Pod,
    PodDNSConfig,
    PodDNSConfigOption,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
    Sysctl,
)
from machinery.pb import cri_pb2 as cri
from tests.support.builders import changed, container, pod

GIB = 2**30


def _sandbox(one: Pod) -> cri.PodSandboxConfig:
    return sandbox_config(
        one,
        attempt=2,
        log_directory="/logs",
        cgroup_parent="/n/pod1",
        dns=Dns(("10.0.0.10",), ("a.b",), ("ndots:5",)),
        hostname="web",
        labels={"l": "1"},
        annotations={"a": "2"},
    )


def _config(box: Container, **fields: Any) -> cri.ContainerConfig:
    strings = ProcessStrings(box.name, {})
    strings.put("A", "1")
    return container_config(
        pod(containers=[box]),
        box,
        image_ref="sha256:1",
        strings=strings,
        mounts=[cri.Mount(container_path="/x")],
        attempt=3,
        labels={},
        annotations={},
        log_path="main/3.log",
        node_memory_bytes=8 * GIB,
        **fields,
    )


def test_a_sandbox_has_the_names_ports_and_settings_of_its_pod():
    """Only host ports are mapped."""
    ports = [ContainerPort(containerPort=80, hostPort=8080, protocol="UDP"), ContainerPort(containerPort=81)]
    context = PodSecurityContext(
        sysctls=[Sysctl(name="net/ipv4/conf/eno2.1/log_martians", value="1")], fsGroup=7
    )
    config = _sandbox(pod(containers=[container(ports=ports)], securityContext=context))
    assert (config.metadata.name, config.metadata.attempt, config.hostname) == ("web", 2, "web")
    assert list(config.dns_config.servers) == ["10.0.0.10"]
    [mapping] = config.port_mappings
    assert (mapping.protocol, mapping.container_port, mapping.host_port) == (cri.UDP, 80, 8080)
    assert config.linux.cgroup_parent == "/n/pod1"
    assert dict(config.linux.sysctls) == {"net.ipv4.conf.eno2/1.log_martians": "1"}
    assert list(config.linux.security_context.supplemental_groups) == [7]


def test_on_the_nodes_network_names_and_ports_are_the_nodes():
    """No host name, no port mappings, the node's namespaces."""
    box = container(ports=[ContainerPort(containerPort=80, hostPort=80)])
    config = _sandbox(pod(containers=[box], hostNetwork=True, hostPID=True))
    assert (config.hostname, list(config.port_mappings)) == ("", [])
    options = config.linux.security_context.namespace_options
    assert (options.network, options.pid, options.ipc) == (cri.NODE, cri.NODE, cri.POD)


def test_a_container_is_expanded_and_limited():
    """Command and arguments see the environment; limits become quota and bytes, with swap at the same bound."""
    box = container(
        command=["run", "$(A)"],
        args=["$(B)"],
        env=[EnvVar(name="A", value="1")],
        limits={"cpu": "500m", "memory": "64Mi"},
        requests={"cpu": "250m", "memory": "32Mi"},
        lifecycle=Lifecycle(stopSignal="SIGRTMIN+3"),
        tty=True,
    )
    config = _config(box)
    assert (list(config.command), list(config.args)) == (["run", "1"], ["$(B)"])
    resources = config.linux.resources
    assert (resources.cpu_shares, resources.cpu_quota, resources.cpu_period) == (256, 50_000, 100_000)
    assert resources.memory_limit_in_bytes == resources.memory_swap_limit_in_bytes == 64 * 2**20
    assert (config.metadata.attempt, config.log_path, config.tty) == (3, "main/3.log", True)
    assert (config.image.image, config.image.user_specified_image) == ("sha256:1", "app:1")
    assert config.stop_signal == cri.SIGRTMINPLUS3
    assert config.envs[0].key == "A"


def test_no_container_is_given_more_than_its_node():
    """A quota above the one of the group around it would be refused by the kernel."""
    box = container(limits={"cpu": "4"})
    one = pod(containers=[box])
    assert container_resources(one, box, node_memory_bytes=GIB, node_cpu_millicores=500).cpu_quota == 50_000
    assert container_resources(one, box, node_memory_bytes=GIB).cpu_quota == 400_000


@pytest.mark.parametrize(
    ("requests", "limits", "score"),
    [
        ({}, {}, 1000),
        ({"memory": "2Gi"}, {}, 750),
        ({"memory": "1Mi"}, {}, 999),
        ({"memory": "8Gi"}, {}, 3),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}, -997),
    ],
)
def test_who_is_killed_first_when_memory_runs_out(requests: Any, limits: Any, score: int):
    """Best effort before burstable before guaranteed; who asked for more is safer."""
    assert _config(container(requests=requests, limits=limits)).linux.resources.oom_score_adj == score


def test_a_containers_security_context_wins_over_its_pods():
    """Field by field."""
    own = SecurityContext(
        runAsUser=5,
        capabilities=Capabilities(add=["NET_ADMIN"], drop=["ALL"]),
        readOnlyRootFilesystem=True,
        allowPrivilegeEscalation=False,
        seccompProfile=SeccompProfile(type="Localhost", localhostProfile="p.json"),
    )
    box = container(securityContext=own)
    context = PodSecurityContext(runAsUser=1, runAsGroup=2, supplementalGroups=[3], fsGroup=4)
    told = container_security(pod(containers=[box], securityContext=context), box)
    assert (told.run_as_user.value, told.run_as_group.value) == (5, 2)
    assert list(told.supplemental_groups) == [3, 4]
    assert list(told.capabilities.drop_capabilities) == ["ALL"]
    assert told.readonly_rootfs
    assert told.no_new_privs
    assert not told.privileged
    assert (told.seccomp.profile_type, told.seccomp.localhost_ref) == (
        cri.SecurityProfile.Localhost,
        "p.json",
    )
    assert "/proc/kcore" in told.masked_paths


def test_defaults_leave_the_user_to_the_image():
    """No user is root by decree; no profile is unconfined."""
    box = container()
    told = container_security(pod(containers=[box]), box)
    assert not told.HasField("run_as_user")
    assert told.seccomp.profile_type == cri.SecurityProfile.Unconfined


@pytest.mark.parametrize(
    ("user", "image", "told"),
    [
        (None, cri.Image(uid=cri.Int64Value(value=0)), (0, "")),
        (None, cri.Image(uid=cri.Int64Value(value=7)), (7, "")),
        (None, cri.Image(username="app"), (0, "app")),
        (5, cri.Image(username="app"), (5, "")),
    ],
)
def test_a_group_comes_with_a_user(user: int | None, image: Any, told: tuple[int, str]):
    """The runtime takes no group alone: where nobody names a user, it is the image's."""
    box = container(securityContext=SecurityContext(runAsUser=user))
    one = pod(containers=[box], securityContext=PodSecurityContext(runAsGroup=3000))
    assert needs_image_user(one, box) is (user is None)
    found = container_security(one, box, image)
    assert (found.run_as_user.value, found.run_as_username) == told
    assert found.run_as_group.value == 3000
    assert found.HasField("run_as_user") is (not told[1])


def test_a_privileged_container_sees_everything():
    """Nothing is masked."""
    box = container(securityContext=SecurityContext(privileged=True))
    told = container_security(pod(containers=[box]), box)
    assert told.privileged
    assert (list(told.masked_paths), list(told.readonly_paths)) == ([], [])


@pytest.mark.parametrize(
    ("user", "image", "problem"),
    [
        (1, None, ""),
        (0, None, "container's runAsUser breaks non-root policy"),
        (None, cri.Image(uid=cri.Int64Value(value=7)), ""),
        (
            None,
            cri.Image(uid=cri.Int64Value(value=0)),
            "container has runAsNonRoot and image will run as root",
        ),
        (None, cri.Image(), "container has runAsNonRoot and image will run as root"),
        (None, cri.Image(username="app"), "container has runAsNonRoot and image has non-numeric user (app)"),
    ],
)
def test_who_must_not_be_root_is_not(user: int | None, image: Any, problem: str):
    """The image's own user counts, where nobody names another."""
    box = container(securityContext=SecurityContext(runAsNonRoot=True, runAsUser=user))
    found = security_problem(pod(containers=[box]), box, image)
    assert found.startswith(problem)
    assert bool(found) is bool(problem)


HOST = Dns(("1.1.1.1",), ("lan",), ("ndots:1", "rotate"))


CLUSTER = ClusterDns(("10.96.0.10",), "cluster.local")
NO_CLUSTER_DNS = (
    "MissingClusterDNS",
    (
        'pod: "web_default(uid-default-web)". kubelet does not have ClusterDNS IP configured and cannot create Pod'
        ' using "ClusterFirst" policy. Falling back to "Default" policy.'
    ),
)
NAMESERVERS = (
    "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
)
OF_CLUSTER = Dns(
    ("10.96.0.10",), ("default.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan"), ("ndots:5",)
)


@pytest.mark.parametrize(
    ("policy", "host_network", "cluster", "settings", "warnings"),
    [
        ("", False, CLUSTER, OF_CLUSTER, ()),
        ("ClusterFirst", False, CLUSTER, OF_CLUSTER, ()),
        ("ClusterFirst", True, CLUSTER, HOST, ()),
        ("ClusterFirstWithHostNet", True, CLUSTER, OF_CLUSTER, ()),
        ("Default", False, CLUSTER, HOST, ()),
        ("None", False, CLUSTER, Dns(), ()),
        (
            "ClusterFirst",
            False,
            ClusterDns(("10.96.0.10",)),
            Dns(("10.96.0.10",), ("lan",), ("ndots:5",)),
            (),
        ),
        ("", False, ClusterDns(), HOST, (NO_CLUSTER_DNS,)),
        ("ClusterFirst", True, ClusterDns(), HOST, ()),
        ("ClusterFirstWithHostNet", True, ClusterDns(), HOST, (NO_CLUSTER_DNS,)),
        ("Default", False, ClusterDns(), HOST, ()),
    ],
)
def test_dns_policies(
    policy: str,
    cluster: ClusterDns,
    settings: Dns,
    warnings: tuple[tuple[str, str], ...],
    *,
    host_network: bool,
):
    """The cluster's DNS with its search path, or the node's; who wanted the cluster's where there is none is told."""
    assert plan_dns(pod(dnsPolicy=policy, hostNetwork=host_network), HOST, cluster) == PodDns(
        settings, warnings
    )


def test_a_pods_own_dns_settings_are_added():
    """Options by name, the pod's last; at most three servers, and what is left out is said."""
    own = PodDNSConfig(
        nameservers=["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"],
        searches=["x.y"],
        options=[PodDNSConfigOption(name="ndots", value="2"), PodDNSConfigOption(name="edns0")],
    )
    assert plan_dns(pod(dnsPolicy="Default", dnsConfig=own), HOST, CLUSTER) == PodDns(
        Dns(("1.1.1.1", "2.2.2.2", "3.3.3.3"), ("lan", "x.y"), ("ndots:2", "rotate", "edns0")),
        (
            (
                "DNSConfigForming",
                f"{NAMESERVERS}1.1.1.1 2.2.2.2 3.3.3.3",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("searches", "kept"),
    [
        ([f"d{index}" for index in range(40)], [f"d{index}" for index in range(32)]),
        (["a", "b" * 254, "c"], ["a", "c"]),
        (
            [f"{index:02}{'x' * 198}" for index in range(12)],
            [f"{index:02}{'x' * 198}" for index in range(10)],
        ),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_search_paths_are_cut_to_what_resolvers_take(searches: list[str], kept: list[str]):
    """32 of them, none longer than a name, 2048 characters in all; what was applied is said."""
    found = plan_dns(pod(dnsPolicy="None", dnsConfig=PodDNSConfig(searches=searches)), HOST, CLUSTER)
    assert list(found.settings.searches) == kept
    said = (
        "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
    )
    assert found.warnings == ((("DNSConfigForming", said + " ".join(kept)),) if kept != searches else ())


def test_resolv_conf_is_read_as_resolvers_do():
    """Comments are skipped, the last search counts."""
    text = "# x\nnameserver 9.9.9.9 # y\ndomain old\nsearch a.b c.d.\noptions ndots:2 rotate\n"
    assert read_resolv_conf(text) == Dns(("9.9.9.9",), ("a.b", "c.d"), ("ndots:2", "rotate"))


def test_host_names_are_cut_to_what_linux_takes():
    """63 characters, and no dash at the end."""
    assert pod_hostname(pod("x" * 62 + "-y")) == "x" * 62
    assert pod_hostname(pod(hostname="db-0")) == "db-0"


def test_a_name_that_takes_the_place_of_the_hosts_is_not_cut_and_has_no_domain():
    """A pod sees it as its own; its domain is nothing that is added to it."""
    name = f"{'a' * 31}.{'b' * 32}"
    asking = pod("web", hostname="db-0", subdomain="db", hostnameOverride=name)
    assert pod_hostname(asking) == kernel_hostname(asking, "cluster.local") == name


def test_a_pod_may_want_its_whole_name_as_its_host_name():
    """Which has to fit into a kernel; without a subdomain there is none."""
    asking = pod("web", subdomain="db", setHostnameAsFQDN=True)
    assert kernel_hostname(asking, "cluster.local") == "web.db.default.svc.cluster.local"
    assert kernel_hostname(pod("web", subdomain="db"), "cluster.local") == "web"
    assert kernel_hostname(pod("web", setHostnameAsFQDN=True), "cluster.local") == "web"
    long = pod("w" * 40, subdomain="db", setHostnameAsFQDN=True)
    text = r"FQDN w+\.db\.default\.svc\.cluster\.local is too long \(64 characters is the max, 69 characters requested\)"
    with pytest.raises(ValueError, match=text):
        kernel_hostname(long, "cluster.local")


def test_the_hosts_file():
    """The pod's own name, its domain, and the aliases."""
    text = hosts_file(
        ["10.1.0.5"], "web", "svc.ns.svc.cluster.local", [HostAlias(ip="1.2.3.4", hostnames=["a", "b"])]
    )
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.1.0.5\tweb.svc.ns.svc.cluster.local\tweb\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")
    assert host_network_hosts_file("127.0.0.1 me\n", []) == (
        "# Kubernetes-managed hosts file (host network).\n127.0.0.1 me\n"
    )


@pytest.mark.parametrize("amount", ["9e15", "9223372036854775807", "9E18", "1e30"])
def test_limits_beyond_any_machine_are_what_the_cri_can_say(amount: str):
    """No request to the runtime overflows, however large a container's or its pod's limits are."""
    bounds = {"cpu": amount, "memory": amount, "hugepages-2Mi": amount}
    boxes = [container("a", requests=bounds, limits=bounds), container("b", requests=bounds, limits=bounds)]
    spec = changed(pod(containers=boxes), spec__overhead={"cpu": amount, "memory": amount})
    found = container_resources(spec, boxes[0], node_memory_bytes=GIB)
    assert 0 < found.cpu_quota <= MAX_QUOTA_US
    assert 0 < found.memory_limit_in_bytes <= MAX_BYTES
    config = sandbox_config(
        spec,
        attempt=0,
        log_directory="/logs",
        cgroup_parent="",
        dns=Dns(),
        hostname="web",
        labels={},
        annotations={},
    )
    assert config.linux.resources.cpu_quota <= MAX_QUOTA_US
    assert config.linux.overhead.memory_limit_in_bytes <= MAX_BYTES
