"""Asks the machine's kernel, before anything is started, for what the network of nodes takes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from kubarium.core.kernel import described, lacks, needs, script
from kubarium.core.spec import ClusterSpec
from kubarium.errors import KubariumError
from machinery.process.search_path import environment

_PATIENCE_S = 20.0


def check_kernel(spec: ClusterSpec, progress: Callable[[str], None]) -> None:
    """Check what a cluster's nodes take of the kernel; what only some pods or Services take is told to `progress`.

    Where no namespace can be made to try it in nothing is said: the start itself says why.

    Raises:
        KubariumError: something is not there without which no node comes up.
    """
    if not spec.isolated:
        return
    wanted = needs(machines=bool(spec.listen))
    fatal, others = lacks(wanted, _printed(script(wanted)))
    if fatal:
        raise KubariumError("; ".join(map(described, fatal)))
    for each in others:
        progress(described(each))


def _printed(text: str) -> str:
    try:
        done = subprocess.run(
            ["unshare", "--net", "sh"],
            input=text,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
