"""What `up` and `start` wait for."""

from __future__ import annotations

import msgspec
import pytest

from kubarium.waiting import is_ready
from machinery.model.k8s import core_v1

_INFO = dict.fromkeys(
    ("architecture", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion", "machineID",
     "operatingSystem", "osImage", "systemUUID"), "",
)  # fmt: skip


def node(status: str, boot_id: str | None) -> core_v1.Node:
    ready = {"type": "Ready", "status": status, "reason": "r", "message": "m"}
    info = {} if boot_id is None else {"nodeInfo": {**_INFO, "bootID": boot_id}}
    raw = {"metadata": {"name": "n"}, "spec": {}, "status": {"conditions": [ready], **info}}
    return msgspec.convert(raw, core_v1.Node)


@pytest.mark.parametrize(
    ("status", "said", "now", "expected"),
    [
        ("True", "2", "2", True),
        ("True", "1", "2", False),
        ("True", None, "2", False),
        ("True", "1", "", True),
        ("False", "2", "2", False),
        ("Unknown", "2", "", False),
    ],
)
def test_what_a_node_said_before_its_machine_was_switched_on_does_not_count(
    status: str,
    said: str | None,
    now: str,
    expected: bool,
):
    """A cluster that is started again would be Ready before its kubelets run."""
    assert is_ready(node(status, said), now) is expected
