"""Flags for kubelets are checked by the kubelet, in a process of its own."""

from __future__ import annotations

import pytest

from kubarium.errors import KubariumError
from kubarium.kubelet_args import check_kubelet_args


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
