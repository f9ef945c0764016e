"""Prints how many pairs of a pod and a cluster the properties have judged, of all processes of a run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.judged_pairs import JUDGED


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave the sums to the process that has started this one."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["judged"] = dict(JUDGED.counts)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add the sums of a process that has ended."""
    JUDGED.add(getattr(node, "workeroutput", {}).get("judged", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the sums."""
    if JUDGED.counts:
        terminalreporter.write_line(JUDGED.report())
