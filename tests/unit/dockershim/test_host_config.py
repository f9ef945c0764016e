"""CRI configurations as the engine's requests."""

from __future__ import annotations

from typing import Any

import pytest

from dockershim.core.capabilities import lacking, to_drop_from_all
from dockershim.core.host_config import (
    Host,
    container_body,
    resources,
    sandbox_body,
    stop_signal,
    unified_settings,
)
from dockershim.core.image_mounts import keys_in, of_the_engine
from dockershim.core.security import localhost_profile
from machinery.model.errors import BadRequest, NotImplementedHere
from machinery.pb import cri_pb2 as cri
from tests.support.dockershim import SCOPE, container_config, sandbox_config, secured

HOST = Host(least_oom_score=0, runtimes=("runc",))


def container(
    config: Any, sandbox: Any = None, handler: str = "", host: Host = HOST, **more: Any
) -> dict[str, Any]:
    return container_body(
        config, sandbox or sandbox_config(), "sand", scope=SCOPE, runtime_handler=handler, host=host, **more
    )


def sandbox(config: Any, handler: str = "", host: Host = HOST) -> dict[str, Any]:
    return sandbox_body(
        config, scope=SCOPE, image="pause", runtime_handler=handler, netns="/proc/7/ns/net", host=host
    )


def test_a_container_joins_its_sandbox():
    """Network and IPC are the pod's, processes are its own."""
    host_config = container(container_config())["HostConfig"]
    joined = (host_config["NetworkMode"], host_config["IpcMode"])
    assert joined == ("container:sand", "container:sand")


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [(cri.POD, "container:sand"), (cri.CONTAINER, ""), (cri.NODE, "host"), (cri.TARGET, "container:other")],
)
def test_process_namespaces(mode: int, wanted: str):
    """The pod's, its own, the machine's, another container's."""
    options = cri.NamespaceOption(pid=mode, target_id="other")
    assert container(secured(namespace_options=options))["HostConfig"]["PidMode"] == wanted


def test_command_and_args_replace_entrypoint_and_cmd():
    """Each alone leaves the other to the image."""
    body = container(container_config(command=["a"], args=["b"]))
    assert (body["Entrypoint"], body["Cmd"]) == (["a"], ["b"])
    assert "Cmd" not in container(container_config(command=["a"]))
    assert "Entrypoint" not in container(container_config(args=["b"]))


@pytest.mark.parametrize(("swap", "both"), [(0, 7), (7, 7), (9, 9), (5, 7), (-1, 7)])
def test_memory_extends_into_swap_only_where_that_is_asked_for(swap: int, both: int):
    """Both limits are the same otherwise; one without the other is none."""
    wanted = cri.LinuxContainerResources(memory_limit_in_bytes=7, memory_swap_limit_in_bytes=swap)
    assert resources(wanted, HOST) == {"Memory": 7, "MemorySwap": both}
    wanted.memory_limit_in_bytes = 0
    assert resources(wanted, HOST) == {}


def test_unified_settings_are_for_cgroup_v2():
    """A kubelet sends one with each container there; elsewhere they are refused, and so is what is no file."""
    limits = cri.LinuxContainerResources(unified={"memory.oom.group": "1"})
    assert unified_settings(limits, Host(unified_cgroups=True)) == {"memory.oom.group": "1"}
    assert resources(limits, Host(unified_cgroups=True)) == {}
    with pytest.raises(NotImplementedHere, match="cgroup v1"):
        resources(limits, HOST)
    for name in ("../memory.max", "memory", "", "a/b.c", "memory.max\n", "cgroup..procs"):
        with pytest.raises(BadRequest, match="no file of a cgroup"):
            unified_settings(cri.LinuxContainerResources(unified={name: "1"}), Host(unified_cgroups=True))


def test_what_is_not_limited_is_not_sent():
    """The engine's zero is not always "no limit"."""
    assert resources(cri.LinuxContainerResources(), HOST) == {}


def test_an_oom_score_below_what_the_machine_allows_is_clamped():
    """Otherwise the container would not start."""
    wanted = cri.LinuxContainerResources(oom_score_adj=-997)
    assert resources(wanted, HOST) == {}
    assert resources(wanted, Host()) == {"OomScoreAdj": -997}


def test_a_sandbox_on_the_nodes_network_enters_its_namespace():
    """By a mount of the namespace, which its program is told of; it has the node's name."""
    options = cri.NamespaceOption(network=cri.NODE)
    security = cri.LinuxSandboxSecurityContext(namespace_options=options)
    body = sandbox(sandbox_config(linux=cri.LinuxPodSandboxConfig(security_context=security)))
    assert body["Cmd"] == ["/netns"]
    assert body["Hostname"] == "node-1"
    assert body["HostConfig"]["Mounts"][0]["Source"] == "/proc/7/ns/net"
    assert body["HostConfig"]["CapAdd"] == ["SYS_ADMIN"]


def test_any_other_sandbox_has_no_capability_and_no_mount():
    """It only sleeps."""
    body = sandbox(sandbox_config(hostname="web-1"))
    assert (body["HostConfig"]["CapAdd"], body["HostConfig"]["Mounts"]) == ([], [])
    assert body["Hostname"] == "web-1"


def test_the_cgroup_parent_is_a_slice_with_systemd():
    """The other driver takes the path."""
    config = sandbox_config(linux=cri.LinuxPodSandboxConfig(cgroup_parent="/a.slice/a-b.slice"))
    assert sandbox(config)["HostConfig"]["CgroupParent"] == "/a.slice/a-b.slice"
    systemd = Host(systemd_cgroups=True)
    assert sandbox(config, host=systemd)["HostConfig"]["CgroupParent"] == "a-b.slice"


LACKING = Host(
    missing_capabilities=("SYS_RESOURCE", "BPF"), left_out=("SYS_RESOURCE",), devices=("/dev/kvm",)
)
SEEING = Host(missing_capabilities=("SYS_RESOURCE", "BPF"))  # an engine that looks at its own rights


@pytest.mark.parametrize(
    ("added", "dropped", "wanted_add", "wanted_drop"),
    [
        (["ALL"], [], ["ALL"], ["SYS_RESOURCE"]),
        (["all"], ["SYS_RESOURCE", "CHOWN", "CAP_BPF"], ["all"], ["CHOWN", "SYS_RESOURCE"]),
        (["SYS_RESOURCE", "CAP_BPF", "sys_resource", "NET_ADMIN"], [], ["NET_ADMIN"], []),
        (["CAP_NET_ADMIN"], ["ALL"], ["CAP_NET_ADMIN"], ["ALL"]),
        ([], [], [], []),
    ],
)
def test_capabilities_that_the_engine_lacks_are_not_asked_for(
    added: list[str], dropped: list[str], wanted_add: list[str], wanted_drop: list[str]
):
    """It could not start such a container; whatever else was asked for is."""
    wish = secured(capabilities=cri.Capability(add_capabilities=added, drop_capabilities=dropped))
    given = container(wish, host=LACKING)["HostConfig"]
    assert (given["CapAdd"], given["CapDrop"]) == (wanted_add, wanted_drop)
    seeing = container(wish, host=SEEING)["HostConfig"]
    assert (seeing["CapAdd"], seeing["CapDrop"]) == (
        wanted_add,
        [name for name in wanted_drop if name != "SYS_RESOURCE"],
    )
    unlimited = container(wish)["HostConfig"]
    assert (unlimited["CapAdd"], unlimited["CapDrop"]) == (added, dropped)


def test_privileged_is_all_that_the_engine_can_give():
    """In the engine's own word where it lacks nothing; else in the words for each part of it."""
    wish = secured(privileged=True)
    assert container(wish)["HostConfig"]["Privileged"]
    assert container(wish, host=SEEING)["HostConfig"]["Privileged"]
    given = container(wish, host=LACKING)["HostConfig"]
    assert {name: given[name] for name in ("Privileged", "CapAdd", "CapDrop", "DeviceCgroupRules")} == {
        "Privileged": False,
        "CapAdd": ["ALL"],
        "CapDrop": ["SYS_RESOURCE"],
        "DeviceCgroupRules": ["a *:* rwm"],
    }
    assert {*given["SecurityOpt"]} == {"seccomp=unconfined", "apparmor=unconfined", "label=disable"}
    assert [each["PathOnHost"] for each in given["Devices"]] == ["/dev/kvm"]
    assert (given["MaskedPaths"], given["ReadonlyPaths"]) == ([], [])


def test_the_kernels_numbers_have_names():
    """A bit that is not set is a name that is lacking, as far as the kernel knows capabilities."""
    everything = (1 << 41) - 1
    assert lacking(everything, 40) == ()
    assert lacking(everything & ~(1 << 24), 40) == ("SYS_RESOURCE",)
    assert lacking(everything & ~(1 << 40), 39) == ()
    assert lacking(0, 1) == ("CHOWN", "DAC_OVERRIDE")


@pytest.mark.parametrize(
    ("version", "wanted"),
    [("1.41", ("SYS_RESOURCE",)), ("1.42", ()), ("1.100", ()), ("2.0", ())],
)
def test_an_engine_that_looks_at_its_own_rights_is_told_nothing(version: str, wanted: tuple[str, ...]):
    """It refuses the names that it lacks; an earlier one refuses those that it has never heard of."""
    assert to_drop_from_all(("SYS_RESOURCE", "BPF"), version) == wanted


@pytest.mark.parametrize(
    ("profile", "wanted"),
    [
        (None, ["seccomp=unconfined"]),
        (cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault), []),
        (cri.SecurityProfile(profile_type=cri.SecurityProfile.Unconfined), ["seccomp=unconfined"]),
    ],
)
def test_seccomp(profile: Any, wanted: list[str]):
    """Without a profile a container is unconfined, as CRI has it."""
    assert container(secured(seccomp=profile))["HostConfig"]["SecurityOpt"] == wanted


@pytest.mark.parametrize(
    ("name", "seccomp", "apparmor"),
    [
        ("", ["seccomp=unconfined"], []),
        ("unconfined", ["seccomp=unconfined"], ["apparmor=unconfined"]),
        ("runtime/default", [], []),
        ("docker/default", [], []),
        ("localhost/mine", ["seccomp={}"], ["apparmor=mine"]),
    ],
)
def test_profiles_of_older_clients(name: str, seccomp: list[str], apparmor: list[str]):
    """They name them in fields that newer ones have replaced, and which count where the newer ones are not set."""
    text = "{}" if name.startswith("localhost/") else ""
    for field, wanted in (("seccomp_profile_path", seccomp), ("apparmor_profile", apparmor)):
        config = secured(**{field: name})
        body = container_body(
            config, sandbox_config(), "sand", scope=SCOPE, runtime_handler="", host=HOST, profile=text
        )
        options = [
            each for each in body["HostConfig"]["SecurityOpt"] if each.startswith(field.partition("_")[0])
        ]
        assert options == wanted
    path = localhost_profile(secured(seccomp_profile_path=name).linux.security_context)
    assert path == ("mine" if name.startswith("localhost/") else "")
    mine = cri.SecurityProfile(profile_type=cri.SecurityProfile.Localhost, localhost_ref="mine")
    assert "apparmor=mine" in container(secured(apparmor=mine))["HostConfig"]["SecurityOpt"]
    newer = cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault)
    both = secured(seccomp=newer, seccomp_profile_path="unconfined")
    assert container(both)["HostConfig"]["SecurityOpt"] == []


@pytest.mark.parametrize("field", ["seccomp_profile_path", "apparmor_profile"])
def test_a_profile_that_is_none_is_refused(field: str):
    """In the field's name."""
    with pytest.raises(BadRequest, match=f"{field}: 'default' is no profile"):
        container(secured(**{field: "default"}))


def test_users_and_groups():
    """By number or name; a group needs a user."""
    assert container(secured(run_as_user=cri.Int64Value(value=0)))["User"] == "0"
    assert container(secured(run_as_username="me", run_as_group=cri.Int64Value(value=5)))["User"] == "me:5"
    with pytest.raises(BadRequest, match="run_as_group"):
        container(secured(run_as_group=cri.Int64Value(value=5)))


def test_no_log_path_is_no_log():
    """The engine keeps none, either."""
    assert container(container_config(log_path=""))["HostConfig"]["LogConfig"]["Type"] == "none"
    assert container(container_config())["HostConfig"]["LogConfig"]["Type"] == "json-file"


@pytest.mark.parametrize(
    ("propagation", "wanted"),
    [
        (cri.PROPAGATION_PRIVATE, {}),
        (cri.PROPAGATION_HOST_TO_CONTAINER, {"BindOptions": {"Propagation": "rslave"}}),
        (cri.PROPAGATION_BIDIRECTIONAL, {"BindOptions": {"Propagation": "rshared"}}),
    ],
)
def test_mounts(propagation: int, wanted: dict[str, Any]):
    """Bound with the propagation that was asked for; private is the engine's own choice, where it has one."""
    mount = cri.Mount(container_path="/c", host_path="/h", readonly=True, propagation=propagation)
    assert container(container_config(mounts=[mount]))["HostConfig"]["Mounts"] == [
        {
            "Type": "bind",
            "Source": "/h",
            "Target": "/c",
            "ReadOnly": True,
            **wanted,
        }
    ]


def test_an_image_is_mounted_by_a_volume_that_goes_with_its_container():
    """Read-only by the volume, not by the mount, which would take the other options away; a label names the folder."""
    mount = cri.Mount(container_path="/c", readonly=True, image=cri.ImageSpec(image="x"))
    body = container(container_config(mounts=[mount]), image_folders={"/c": "/state/image-volumes/0a"})
    [written] = body["HostConfig"]["Mounts"]
    options = written["VolumeOptions"]["DriverConfig"]["Options"]
    assert (written["Type"], written.get("Source"), written.get("ReadOnly")) == ("volume", None, None)
    assert options == {
        "type": "none",
        "o": "bind,ro,noexec,nosuid,nodev",
        "device": "/state/image-volumes/0a",
    }
    assert keys_in(body["Labels"]) == ["0a"]
    assert of_the_engine("etc") == ["hostname", "hosts", "mtab", "resolv.conf"]


@pytest.mark.parametrize(
    "config",
    [
        container_config(mounts=[cri.Mount(container_path="/c", host_path="/h", recursive_read_only=True)]),
        secured(supplemental_groups_policy=cri.Strict),
        secured(capabilities=cri.Capability(add_ambient_capabilities=["NET_RAW"])),
    ],
)
def test_what_the_engine_cannot_do_is_refused(config: Any):
    """And nothing else is done instead."""
    with pytest.raises(NotImplementedHere):
        container(config)


def test_an_unknown_runtime_handler_is_refused():
    """The text names those that there are."""
    assert sandbox(sandbox_config(), "runc")["HostConfig"]["Runtime"] == "runc"
    with pytest.raises(BadRequest, match="runc"):
        sandbox(sandbox_config(), "gvisor")


@pytest.mark.parametrize(
    ("signal", "name"),
    [
        (cri.RUNTIME_DEFAULT, ""),
        (cri.SIGUSR1, "SIGUSR1"),
        (cri.SIGRTMINPLUS3, "SIGRTMIN+3"),
        (cri.SIGRTMAXMINUS2, "SIGRTMAX-2"),
    ],
)
def test_stop_signals_have_the_engines_names(signal: int, name: str):
    """Also the real-time ones."""
    assert stop_signal(signal) == name
