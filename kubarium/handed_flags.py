"""Flags that the user hands to a cluster's programs: only these know what their values may be, so they are asked before the start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kubarium.errors import KubariumError
from kubarium.program import command_of

_ANY_FILE: Final = os.devnull
_NEEDED: Final[Mapping[str, Sequence[str]]] = {  # what no such program does without
    "kubelet": ("--server=any:1", "--node-name=any", "--cri-socket=/any"),
    "apiserver": (
        "--etcd-servers=http://any:1",
        *(
            f"--{name}-file={_ANY_FILE}"
            for name in ("ca", "cert", "key", "kubelet-cert", "kubelet-key", "sa-key")
        ),
    ),
    "controllers": ("--server=any:1",),
    "scheduler": ("--server=any:1",),
    "dockershim": ("--cluster=any", "--node=any", "--socket=/any", "--state-dir=/any"),
}
_PATIENCE_S = 60.0  # a slow machine imports the program


def check_kubelet_args(of_nodes: Iterable[Mapping[str, str]]) -> None:
    """Check the flags of several nodes' kubelets; equal ones once.

    Raises:
        KubariumError: a kubelet refuses them; the message names the flag.
    """
    different = {tuple(sorted(args.items())) for args in of_nodes if args}
    for args in sorted(different):
        _check("kubelet", dict(args))


def check_plane_args(program: str, args: Mapping[str, str]) -> None:
    """Check the flags of a program of the control plane, and the files that they name.

    Raises:
        KubariumError: it refuses them; the message names the flag.
    """
    if args:
        _check(program, args)


def check_cni_conf(file: str) -> None:
    """Check a CNI configuration; "" is fine.

    Raises:
        KubariumError: it describes no network; the message names file and field.
    """
    if file and (why := _refusal("dockershim", [f"--cni-conf={file}"])):
        raise KubariumError(why)


def _check(program: str, args: Mapping[str, str]) -> None:
    flags = [f"--{name}={value}" for name, value in sorted(args.items())]
    if why := _refusal(program, flags):
        raise KubariumError(f"--{program}-arg: the {program} refuses {' '.join(flags)}: {why}")


def _refusal(program: str, flags: list[str]) -> str:
    """Return what a program says of flags that it refuses, or ""."""
    command = [*command_of(program), *_NEEDED[program], *flags, "--check-flags"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise KubariumError(f"the {program} does not check its flags within {_PATIENCE_S:g} s") from error
    said = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
    return said[-1].rpartition(" error: ")[2] if done.returncode else ""
