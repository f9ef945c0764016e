"""Image names and credentials, CNI configurations, cgroup files, the sandbox's program."""

from __future__ import annotations

import base64
import json

import pytest

from dockershim.core.cgroup_files import cgroup_paths, read_interfaces, usage_v1, usage_v2
from dockershim.core.cni import error_text, port_mappings, result_addresses
from dockershim.core.images import (
    HUB,
    PRIVATE,
    ImageNames,
    image_names,
    in_registry,
    is_archive,
    registry,
    registry_auth,
    split_reference,
    view_image,
)
from dockershim.core.pause_program import pause_program
from machinery.model.errors import BadRequest
from machinery.pb import cri_pb2 as cri


@pytest.mark.parametrize(
    ("name", "repository", "tag"),
    [
        ("busybox", "busybox", "latest"),
        ("busybox:1.36", "busybox", "1.36"),
        ("localhost:5000/app", "localhost:5000/app", "latest"),
        ("localhost:5000/app:v1", "localhost:5000/app", "v1"),
        ("app@sha256:ab", "app", "sha256:ab"),
        ("app:v1@sha256:ab", "app:v1", "sha256:ab"),
    ],
)
def test_names_come_apart(name: str, repository: str, tag: str):
    """A port is no tag."""
    assert split_reference(name) == (repository, tag)


@pytest.mark.parametrize(
    ("image", "host"),
    [("busybox", HUB), ("me/app", HUB), ("quay.io/app", "quay.io"), ("localhost/app", "localhost")],
)
def test_registries(image: str, host: str):
    """A first part with a dot, a port or the name localhost is one."""
    assert registry(image) == host


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("busybox", "localhost:5001/busybox:latest"),
        ("docker.io/library/busybox:1.36", "localhost:5001/busybox:1.36"),
        ("me/app", "localhost:5001/me/app:latest"),
        ("quay.io/library/app:v2", "localhost:5001/library/app:v2"),
        ("localhost:5001/app:v1", "localhost:5001/app:v1"),
        ("localhost:5000/a/b", "localhost:5001/a/b:latest"),
    ],
)
def test_a_name_in_another_registry(name: str, there: str):
    """The path stays; the registry that the name began with goes, and the Hub's own parts, which nobody writes."""
    assert in_registry(name, "localhost:5001") == there


@pytest.mark.parametrize("name", ["app@sha256:ab", "sha256:ab"])
def test_a_digest_is_no_name_to_push(name: str):
    """A registry computes it."""
    with pytest.raises(ValueError, match="cannot be pushed"):
        in_registry(name, "localhost:5001")


@pytest.mark.parametrize(
    ("argument", "archive"),
    [("a.tar", True), ("a.tgz", True), ("a.tar.gz", True), ("/a", True), ("./a", True), ("../a", True), ("a", False),
     ("a/b:v1", False), ("a.tar:1", False)],
)  # fmt: skip
def test_archives_are_known_by_their_names(argument: str, archive: bool):
    """No file is looked for, so that a file cannot hide an image."""
    assert is_archive(argument) is archive


def test_credentials():
    """As user and password, or both in base64; none are none."""
    both = base64.b64encode(b"me:secret").decode()
    for auth in (cri.AuthConfig(username="me", password="secret"), cri.AuthConfig(auth=both)):
        sent = json.loads(base64.urlsafe_b64decode(registry_auth(auth, "quay.io/app")))
        assert sent == {"username": "me", "password": "secret", "serveraddress": "quay.io"}
    assert registry_auth(cri.AuthConfig(), "app") == ""
    with pytest.raises(ValueError, match=r"base64|padding"):
        registry_auth(cri.AuthConfig(auth="%%%"), "app")


@pytest.mark.parametrize(
    ("user", "uid", "username"), [("", 0, ""), ("1000", 1000, ""), ("1000:5", 1000, ""), ("app", None, "app")]
)
def test_the_user_of_an_image(user: str, uid: int | None, username: str):
    """A number, or a name that only the image can look up."""
    image = view_image({"Id": "sha256:1", "RepoTags": ["<none>:<none>"], "Config": {"User": user}})
    assert (image.uid.value if image.HasField("uid") else None, image.username) == (uid, username)
    assert list(image.repo_tags) == []


def test_an_image_is_referred_to_by_its_digest():
    """One that was never in a registry, by its id."""
    named = {
        "Id": "sha256:1",
        "RepoDigests": ["app@sha256:2"],
        "RepoTags": [f"{PRIVATE}:1", "app:1", "app:2"],
    }
    assert image_names(named) == ImageNames("app@sha256:2", "app:1")
    assert image_names({"Id": "sha256:1", "RepoDigests": [], "RepoTags": None}) == ImageNames("sha256:1", "")


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"host_port": 70000, "container_port": 80}, "host_port has to be 1 to 65535, not 70000"),
        ({"host_port": 80, "container_port": 70000}, "container_port has to be 1 to 65535, not 70000"),
        ({"host_port": 80}, "container_port has to be 1 to 65535, not 0"),
        ({"host_port": 80, "container_port": -1}, "container_port has to be 1 to 65535, not -1"),
        ({"host_port": 80, "container_port": 80, "host_ip": "abc"}, "host_ip: 'abc' does not appear to be"),
        ({"host_port": 80, "container_port": 80, "host_ip": "10.0.0.0/8"}, "host_ip: '10.0.0.0/8' does not"),
        ({"host_port": 80, "container_port": 80, "protocol": 7}, "there is no protocol 7"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(mapping: dict[str, object], problem: str):
    """With its field: the plugin would map it to nothing, or leave a sandbox that nobody can remove."""
    with pytest.raises(BadRequest, match=problem):
        port_mappings([cri.PortMapping(**mapping)])


def test_only_host_ports_are_mapped():
    """With their protocol, and an address where one is given."""
    mappings = [
        cri.PortMapping(container_port=80),
        cri.PortMapping(container_port=53, host_port=5353, protocol=cri.UDP, host_ip="10.0.0.1"),
    ]
    ports = port_mappings(mappings)
    assert ports == [{"hostPort": 5353, "containerPort": 53, "protocol": "udp", "hostIP": "10.0.0.1"}]


def test_what_plugins_answer():
    """Addresses without their mask; an error in one line."""
    assert result_addresses({"ips": [{"address": "10.0.1.2/24"}]}) == ("10.0.1.2",)
    assert error_text({"msg": "no", "details": "why"}) == "no: why"


def test_cgroup_paths_are_those_below_our_own_root():
    """Of cgroup v1, of v2, and as a private cgroup namespace shows them."""
    assert cgroup_paths("4:cpu,cpuacct:/a\n0::/b\n") == {"cpu": "/a", "cpuacct": "/a", "": "/b"}
    assert cgroup_paths("0::/../../kubarium/x\n") == {"": "/kubarium/x"}


def test_the_working_set_leaves_idle_cache_out():
    """On both versions; it is never below zero."""
    v1 = usage_v1("5", "100", "total_inactive_file 30\ntotal_rss 40\ntotal_pgfault 7", "2")
    v2 = usage_v2("usage_usec 3", "100", "inactive_file 130\nanon 40\npgfault 7", "2")
    assert (v1.cpu_ns, v1.working_set_bytes, v1.rss_bytes, v1.page_faults, v1.processes) == (5, 70, 40, 7, 2)
    assert (v2.cpu_ns, v2.working_set_bytes, v2.rss_bytes, v2.page_faults) == (3000, 0, 40, 7)


def test_interfaces():
    """Bytes and errors in both directions."""
    text = "head\nhead\n eth0: 10 1 2 0 0 0 0 0 20 1 3 0 0 0 0 0\n"
    assert read_interfaces(text) == {"eth0": (10, 2, 20, 3)}


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_the_program_is_a_static_executable(architecture: str, machine: int):
    """With one segment that is the whole file."""
    program = pause_program(architecture)
    assert program[:4] == b"\x7fELF"
    assert int.from_bytes(program[18:20], "little") == machine
    assert int.from_bytes(program[96:104], "little") == len(program) < 512


def test_the_branches_of_the_arm_program_lead_where_they_should():
    """Each lands on the instruction that its comment names."""
    code = pause_program("arm64")[120:]
    words = [int.from_bytes(code[at : at + 4], "little") for at in range(0, len(code), 4)]
    pause, fail = words.index(0xD2800000), len(words) - 3
    assert words[fail] == 0xD2800020
    assert 14 + (words[14] >> 5 & 0x7FFFF) == pause
    assert 20 + (words[20] >> 5 & 0x3FFF) == fail
    assert 24 + (words[24] >> 5 & 0x7FFFF) == fail
    assert 31 + (words[31] & 0x3FFFFFF) - (1 << 26) == pause


def test_an_unknown_machine_has_no_program():
    """The caller says so."""
    with pytest.raises(KeyError):
        pause_program("s390x")
