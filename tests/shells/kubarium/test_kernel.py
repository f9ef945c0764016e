"""The kernel of this machine is asked for what the network of nodes takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubarium import KubariumError
from kubarium.core.kernel import needs, script
from kubarium.core.spec import ClusterSpec
from kubarium.host import kernel
from tests.support.requirements import need

SPEC = ClusterSpec(listen="192.0.2.1")


def test_nothing_is_said_of_a_kernel_that_has_all() -> None:
    """And nothing stays behind."""
    need("netns")
    told: list[str] = []
    kernel.check_kernel(SPEC, told.append)
    assert told == []
    tried = set(re.findall(r"\bp[0-9]+\b", script(needs(machines=True))))
    assert {"p0", "p1"} <= tried
    assert not tried & {path.name for path in Path("/sys/class/net").iterdir()}


def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By programs that fail at one thing each: VXLAN ends the start, tbf is told."""
    need("netns")
    for program, fails_at in (("ip", "vxlan"), ("tc", "tbf")):
        fake = tmp_path / program
        fake.write_text(f'#!/bin/sh\ncase "$*" in *{fails_at}*) exit 1;; esac\n')
        fake.chmod(0o755)
    monkeypatch.setattr(kernel, "environment", lambda: {"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"})
    told: list[str] = []
    with pytest.raises(KubariumError, match=r"this machine's kernel has no vxlan: .*--listen"):
        kernel.check_kernel(SPEC, told.append)
    kernel.check_kernel(ClusterSpec(), told.append)
    assert [each.partition(":")[0] for each in told] == ["this machine's kernel has no sch_tbf"]


def test_a_cluster_without_a_network_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated containers take nothing."""
    monkeypatch.setattr(kernel, "_printed", lambda _text: script(needs(machines=True)))
    kernel.check_kernel(ClusterSpec(runtime="hollow"), print)
