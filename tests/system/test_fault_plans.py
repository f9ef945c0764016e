"""A fault plan cuts one conversation of a living cluster, over the control socket of the process that it is about."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.clusters import StartCluster
from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

CUT = {"fault": "cut", "from": "kubelet@node-1", "protocol": "resources"}
CONDITION = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'


class ControlSocket(http.client.HTTPConnection):
    """HTTP to a process's control socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def put(path: Path, *rules: dict[str, Any]) -> list[dict[str, Any]]:
    """Send a plan, and return its rules with their counts."""
    connection = ControlSocket(path)
    try:
        connection.request("PUT", "/faults", json.dumps({"rules": rules}))
        answer = connection.getresponse()
        assert answer.status == 200
        found: list[dict[str, Any]] = json.loads(answer.read())["rules"]
        return found
    finally:
        connection.close()


def test_a_node_that_is_cut_off_is_given_up_and_comes_back(start_cluster: StartCluster):
    """The kubelet lives and its processes run, but nothing of it arrives; when the link is back, so is the node."""
    cluster = start_cluster("cut", nodes=1, runtime="hollow", profile="fast")
    kubectl = Kubectl(cluster.kubeconfig)
    control = cluster.layout.health("kubelet@node-1")
    put(control, CUT)
    eventually(lambda: kubectl("get", "node", "node-1", CONDITION) == "Unknown", what="node-1 Unknown")
    assert {process.state for process in cluster.ps()} == {"ready"}
    extended = put(control, CUT, {"fault": "delay", "delay_s": 0.01, "method": "Get"})
    assert extended[0]["applied"] > 0
    put(control)
    eventually(lambda: kubectl("get", "node", "node-1", CONDITION) == "True", what="node-1 Ready again")
