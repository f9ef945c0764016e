"""Which container is meant, and what may be asked of its log."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.pod_access import LogOptions, check_running, container_of, exit_status, log_causes
from machinery.model.errors import BadRequest


def pod(*names: str, inits: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    spec = {
        "containers": [{"name": name} for name in names],
        "initContainers": [{"name": name} for name in inits],
    }
    return {
        "metadata": {"name": "web"},
        "spec": {**spec, "nodeName": fields.get("node", "n")},
        "status": {"phase": fields.get("phase", "Running")},
    }


def test_the_only_container_need_not_be_named():
    """One container is meant where there is one."""
    assert container_of(pod("main", inits=("init",)), "") == "main"
    assert container_of(pod("a", inits=("init",)), "init") == "init"


def test_several_containers_have_to_be_named():
    """The message lists those that there are."""
    with pytest.raises(BadRequest) as caught:
        container_of(pod("a", "b", inits=("i",)), "")
    assert caught.value.message == (
        "a container name must be specified for pod web, choose one of: [a b] or one of the init containers: [i]"
    )
    with pytest.raises(BadRequest, match="container c is not valid for pod web"):
        container_of(pod("a", "b"), "c")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (LogOptions(tail_lines=-1), "tailLines"),
        (LogOptions(limit_bytes=0), "limitBytes"),
        (LogOptions(since_seconds=0), "sinceSeconds"),
        (LogOptions(since_seconds=1, since_time="2025-01-01T00:00:00Z"), ""),
        (LogOptions(stream="x"), "stream"),
        (LogOptions(stream="Stderr", tail_lines=1), ""),
    ],
)
def test_log_options_that_make_no_sense(options: LogOptions, field: str):
    """Each names its field."""
    assert [cause.field for cause in log_causes(options)] == [field]


def test_log_options_that_make_sense():
    """Nothing to complain about."""
    assert log_causes(LogOptions(tail_lines=0, since_seconds=1, limit_bytes=1, stream="All")) == []


@pytest.mark.parametrize("fields", [{"node": ""}, {"phase": "Succeeded"}, {"phase": "Failed"}])
def test_nobody_goes_into_a_pod_that_does_not_run(fields: dict[str, str]):
    """It has no node, or it has ended."""
    with pytest.raises(BadRequest):
        check_running(pod("main", **fields))


def test_how_a_command_ended():
    """The exit code is among the causes, where kubectl looks for it."""
    assert exit_status(0, "")["status"] == "Success"
    failed = exit_status(7, "")
    assert (failed["reason"], failed["details"]["causes"]) == (
        "NonZeroExitCode",
        [{"reason": "ExitCode", "message": "7"}],
    )
    assert "no such file" in exit_status(126, "no such file")["message"]
