"""What a kubeconfig says of the apiserver and of who comes to it."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from machinery.client.kubeconfig import InKubeconfig, in_kubeconfig
from machinery.process.config import ComponentConfig, ConfigError, as_in_kubeconfig

FOLDER = Path("/etc/k")


def kubeconfig(cluster: dict[str, Any], user: dict[str, Any] | None) -> dict[str, Any]:
    """Write one with two contexts."""
    return {
        "current-context": "mine",
        "contexts": [
            {"name": "other", "context": {"cluster": "c", "user": "nobody"}},
            {"name": "mine", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "https://h:1", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }


def read(cluster: dict[str, Any], user: dict[str, Any] | None) -> InKubeconfig:
    """Read it, with the content of what is kept as its path."""
    return in_kubeconfig(kubeconfig(cluster, user), FOLDER, lambda data: f"<{data.decode()}>")


def data(text: str) -> str:
    return b64encode(text.encode()).decode()


def test_files_count_from_the_kubeconfigs_folder() -> None:
    """Unless their paths are whole."""
    cluster = {"certificate-authority": "ca.crt", "tls-server-name": "apiserver"}
    user = {"client-certificate": "../me.crt", "client-key": "/keys/me.key"}
    found = InKubeconfig("https://h:1", "/etc/k/ca.crt", "/etc/k/../me.crt", "/keys/me.key", "", "apiserver")
    assert read(cluster, user) == found


def test_what_stands_in_it_is_kept() -> None:
    """It counts before the files that are named beside it, as for kubectl."""
    cluster = {"certificate-authority-data": data("CA"), "certificate-authority": "no"}
    user = {"client-certificate-data": data("CERT"), "client-key-data": data("KEY")}
    assert read(cluster, user)[1:5] == ("<CA>", "<CERT>", "<KEY>", "")
    assert read(cluster, {"token": "abc", "tokenFile": "no"}).token_file == "<abc>"
    assert read(cluster, {"tokenFile": "token"}).token_file == "/etc/k/token"


def test_nobody_in_particular_may_come() -> None:
    """The apiserver says what becomes of that."""
    assert read({}, None) == InKubeconfig("https://h:1", "", "", "", "", "")


@pytest.mark.parametrize(
    ("cluster", "user", "why"),
    [
        ({"insecure-skip-tls-verify": True}, {}, "the cluster's insecure-skip-tls-verify cannot be heeded"),
        ({"proxy-url": "http://p"}, {}, "the cluster's proxy-url cannot"),
        ({}, {"exec": {"command": "x"}}, "the user's exec cannot"),
        ({}, {"username": "x"}, "the user's username cannot"),
        ({"certificate-authority-data": "%"}, {}, "base64|Non-base64|padding"),
    ],
)
def test_what_cannot_be_heeded_is_refused(cluster: dict[str, Any], user: dict[str, Any], why: str) -> None:
    """Rather than left out."""
    with pytest.raises(ValueError, match=why):
        read(cluster, user)


def test_a_context_without_its_cluster_is_refused() -> None:
    """By name."""
    with pytest.raises(ValueError, match='clusters has no "c"'):
        in_kubeconfig({**kubeconfig({}, {}), "clusters": []}, FOLDER, str)
    with pytest.raises(KeyError, match="current-context"):
        in_kubeconfig({}, FOLDER, str)


def test_a_component_comes_as_its_kubeconfig_says() -> None:
    """Through the REST door, the only one that every apiserver has."""
    found = InKubeconfig("https://h:1", "ca", "crt", "key", "", "name")
    config = as_in_kubeconfig(ComponentConfig(kubeconfig="file", log_level="error"), lambda _file: found)
    assert (config.server, config.transport, config.log_level) == ("https://h:1", "rest", "error")
    assert (config.ca_file, config.cert_file, config.key_file) == ("ca", "crt", "key")
    assert (config.token_file, config.tls_server_name) == ("", "name")


@pytest.mark.parametrize("field", ["server", "ca_file", "cert_file", "token_file", "tls_server_name"])
def test_a_kubeconfig_says_everything(field: str) -> None:
    """A flag beside it would contradict it."""
    with pytest.raises(ConfigError, match=f"--kubeconfig: goes without --{field.replace('_', '-')}"):
        as_in_kubeconfig(ComponentConfig(kubeconfig="file", **{field: "x"}), lambda _file: None)  # type: ignore[arg-type,return-value]


def test_a_kubeconfig_that_cannot_be_used_is_a_wrong_flag() -> None:
    """With what is wrong."""

    def fail(file: str) -> InKubeconfig:
        raise LookupError(f"{file} cannot be read: why")

    with pytest.raises(ConfigError, match="--kubeconfig: file cannot be read: why"):
        as_in_kubeconfig(ComponentConfig(kubeconfig="file"), fail)
