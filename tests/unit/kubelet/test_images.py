"""Image names, pull policies and credentials."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from kubelet.core.images import (
    Credential,
    PullStep,
    matching,
    parse_name,
    plan_pull,
    read_credentials,
    with_default_tag,
)
from machinery.model.k8s.core_v1 import Secret
from tests.support.builders import meta

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("busybox", ("docker.io/library/busybox", "", "")),
        ("busybox:1.36", ("docker.io/library/busybox", "1.36", "")),
        ("team/app:1", ("docker.io/team/app", "1", "")),
        ("localhost/app", ("localhost/app", "", "")),
        ("registry.example.com:5000/team/app:v1", ("registry.example.com:5000/team/app", "v1", "")),
        (f"ghcr.io/app@{DIGEST}", ("ghcr.io/app", "", DIGEST)),
        (f"ghcr.io/app:v1@{DIGEST}", ("ghcr.io/app", "v1", DIGEST)),
    ],
)
def test_names_are_read_as_registries_read_them(text: str, expected: tuple[str, str, str]):
    """A name without a host is the hub's, one without a folder is in its library."""
    assert parse_name(text) == expected


@pytest.mark.parametrize(
    "text", ["", "UPPER", "a b", "app:", "app@sha256:12", "-app", "a" * 64, "a//b", "b" * 300]
)
def test_wrong_names_are_refused(text: str):
    """A name that no registry takes is refused with its text in the message."""
    if text == "a" * 64:
        text = "abcdef0123456789" * 4
    with pytest.raises(ValueError, match="couldn't parse image name"):
        parse_name(text)


def test_upper_case_is_named_as_the_reason():
    """The most frequent mistake has a message of its own."""
    with pytest.raises(ValueError, match="repository name must be lowercase"):
        parse_name("MyApp:1")


def test_the_default_tag_is_added_only_where_nothing_says_which():
    """Neither a tag nor a digest means latest."""
    assert with_default_tag("localhost:5000/app") == "localhost:5000/app:latest"
    assert with_default_tag("app:2") == "app:2"
    assert with_default_tag(f"app@{DIGEST}") == f"app@{DIGEST}"


@pytest.mark.parametrize(
    ("policy", "present", "step"),
    [
        ("Always", True, PullStep.PULL),
        ("Always", False, PullStep.PULL),
        ("IfNotPresent", True, PullStep.USE),
        ("IfNotPresent", False, PullStep.PULL),
        ("Never", True, PullStep.USE),
        ("Never", False, PullStep.REFUSE),
    ],
)
def test_the_policy_decides(policy: str, *, present: bool, step: PullStep):
    """The three policies, with the image here or not."""
    assert plan_pull(policy, present=present) is step


@pytest.mark.parametrize(
    ("registry", "image", "fits"),
    [
        ("registry.example.com", "registry.example.com/team/app", True),
        ("registry.example.com/team", "registry.example.com/team/app", True),
        ("registry.example.com/te", "registry.example.com/team/app", False),
        ("*.example.com", "registry.example.com/app", True),
        ("*.example.com", "example.com/app", False),
        ("*.example.com", "a.b.example.com/app", False),
        ("registry.example.com", "registry.example.com:5000/app", False),
        ("docker.io", "busybox", True),
    ],
)
def test_credentials_fit_hosts_part_by_part(registry: str, image: str, *, fits: bool):
    """A star stands for a part of one level; a path for whole folders."""
    assert bool(matching([Credential(registry)], image)) is fits


def test_the_most_specific_credentials_come_first():
    """A folder's credentials are tried before its host's."""
    general, special = Credential("r.example.com"), Credential("r.example.com/team")
    assert matching([general, special], "r.example.com/team/app") == [special, general]


def _secret(content: object, type_: str = "kubernetes.io/dockerconfigjson") -> Secret:
    key = ".dockerconfigjson" if type_.endswith("json") else ".dockercfg"
    encoded = b64encode(json.dumps(content).encode()).decode()
    return Secret(metadata=meta("pull", "default"), type=type_, data={key: encoded})


def test_docker_configs_are_read_in_both_forms():
    """`auth` holds user and password; the hub's old URL is the hub."""
    auth = b64encode(b"me:se:cret").decode()
    new = _secret({"auths": {"https://index.docker.io/v1/": {"auth": auth}}})
    old = _secret({"r.example.com": {"username": "u", "password": "p"}}, "kubernetes.io/dockercfg")
    assert read_credentials(new) == [Credential("docker.io", "me", "se:cret")]
    assert read_credentials(old) == [Credential("r.example.com", "u", "p")]
    assert read_credentials(Secret(type="Opaque", data={"a": "b"})) == []


@pytest.mark.parametrize(
    "content",
    [
        {"auths": [1]},
        {"auths": "x"},
        {"auths": {"x": 5}},
        {"auths": {"x": None}},
        {"auths": {"x": {"auth": 5}}},
        {"auths": {"x": {"auth": "é"}}},
        {"auths": {"x": {"auth": "/w=="}}},
        [],
        5,
    ],
)
def test_a_pull_secret_that_is_no_docker_config_is_refused_by_name(content: object):
    """ValueError, which skips this secret only."""
    encoded = b64encode(json.dumps(content).encode()).decode()
    for type_, key in (("dockerconfigjson", ".dockerconfigjson"), ("dockercfg", ".dockercfg")):
        own = content["auths"] if type_ == "dockercfg" and isinstance(content, dict) else content
        body = b64encode(json.dumps(own).encode()).decode() if type_ == "dockercfg" else encoded
        with pytest.raises(ValueError, match="no docker config"):
            read_credentials(Secret(metadata=meta("s"), type=f"kubernetes.io/{type_}", data={key: body}))


@pytest.mark.parametrize("content", [{"auths": []}, {"auths": None}, {"auths": {}}, {}])
def test_a_docker_config_without_entries_has_no_credentials(content: object):
    """As Go reads an empty list where a map is wanted: nothing is in it."""
    encoded = b64encode(json.dumps(content).encode()).decode()
    secret = Secret(
        metadata=meta("s"), type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": encoded}
    )
    assert read_credentials(secret) == []
