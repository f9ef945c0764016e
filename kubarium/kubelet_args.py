"""Flags that the user hands to kubelets: only the kubelet knows what their values may be, so it is asked before the start."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from typing import Final

from kubarium.errors import KubariumError
from kubarium.program import command_of

_NEEDED: Final = ("--server=any:1", "--node-name=any", "--cri-socket=/any")  # what no kubelet does without
_PATIENCE_S = 60.0  # a slow machine imports the program


def check_kubelet_args(of_nodes: Iterable[Mapping[str, str]]) -> None:
    """Check the flags of several nodes' kubelets; equal ones once.

    Raises:
        KubariumError: a kubelet refuses them; the message names the flag.
    """
    different = {tuple(sorted(args.items())) for args in of_nodes if args}
    for args in sorted(different):
        flags = [f"--{name}={value}" for name, value in args]
        if why := _refusal(flags):
            raise KubariumError(f"--kubelet-arg: the kubelet refuses {' '.join(flags)}: {why}")


def _refusal(flags: list[str]) -> str:
    """Return what a kubelet says of flags that it refuses, or ""."""
    command = [*command_of("kubelet"), *_NEEDED, *flags, "--check-flags"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise KubariumError(f"the kubelet does not check its flags within {_PATIENCE_S:g} s") from error
    said = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
    return said[-1].rpartition(" error: ")[2] if done.returncode else ""
