"""Flags for a cluster's programs are checked by these, in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubarium.errors import KubariumError
from kubarium.handed_flags import check_kubelet_args, check_plane_args


def test_what_a_kubelet_accepts_passes():
    """Also where several nodes have different flags, or none."""
    check_kubelet_args(
        [{"container-log-max-size": "1Mi", "container-log-max-files": "3"}, {}, {"log-level": "debug"}]
    )


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"log-level": "info", "container-log-max-size": "lots"}, "--container-log-max-size: "),
        ({"container-log-max-files": "1"}, "--container-log-max-files: has to be greater than 1"),
        ({"container-log-max-files": "x"}, "--container-log-max-files: has to be a whole number, not 'x'"),
        ({"allowed-unsafe-sysctls": "vm.*,vm.swappiness"}, "--allowed-unsafe-sysctls: "),
        ({"log-level": "loud"}, "--log-level: has to be one of debug"),
    ],
)
def test_what_a_kubelet_refuses_is_told_in_its_own_words(args: dict[str, str], why: str):
    """Before anything is started; the flag is named."""
    flags = " ".join(f"--{name}={value}" for name, value in sorted(args.items()))
    with pytest.raises(KubariumError) as refused:
        check_kubelet_args([{}, args])
    text = str(refused.value)
    assert text.startswith(f"--kubelet-arg: the kubelet refuses {flags}: ")
    assert why in text


def test_the_files_that_an_apiserver_is_given_are_read_first(tmp_path: Path):
    """What is wrong in one is told with its field, before anything is started."""
    path = tmp_path / "authorization.yaml"
    path.write_text(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n"
        "authorizers:\n- {type: RBAC, name: rbac}\n"
    )
    check_plane_args("apiserver", {})
    check_plane_args("apiserver", {"authorization-config": str(path), "max-requests-inflight": "100"})
    path.write_text(path.read_text().replace("RBAC", "ABAC"))
    with pytest.raises(KubariumError, match=r"^--apiserver-arg: .*authorizers\[0\].type: "):
        check_plane_args("apiserver", {"authorization-config": str(path)})
    with pytest.raises(KubariumError, match="No such file"):
        check_plane_args("apiserver", {"authorization-config": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("program", "good", "bad", "why"),
    [
        (
            "controllers",
            {"controllers": "*,-job", "horizontal-pod-autoscaler-tolerance": "0.2"},
            {"controllers": "*,-jobs"},
            '--controllers: "-jobs" is not in the list of known controllers',
        ),
        ("scheduler", {"bindings": "10"}, {"bindings": "0"}, "--bindings: has to be 1 or more, not 0"),
    ],
)
def test_so_are_those_of_the_control_plane(program: str, good: dict[str, str], bad: dict[str, str], why: str):
    """The option is named."""
    check_plane_args(program, good)
    with pytest.raises(KubariumError) as refused:
        check_plane_args(program, bad)
    assert str(refused.value).startswith(f"--{program}-arg: the {program} refuses ")
    assert why in str(refused.value)
