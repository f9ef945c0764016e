"""A driver's devices in real containers: claimed by template, waited for, and free again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

EXAMPLE = Path(__file__).parents[2] / "examples" / "dra-driver"
CLASS, SLICE = "deviceclass/card.example.com", "resourceslice/{node}-cards.example.com"


@pytest.fixture
def driver(cluster: Cluster, kubectl: Kubectl) -> Iterator[Path]:
    """The example's driver, with one card on one node; its CDI specs."""
    need("docker")
    node = min(each["metadata"]["name"] for each in kubectl.get("nodes"))
    specs = Path("/var/run/cdi")
    command = [sys.executable, EXAMPLE / "driver.py", "--node", node, "--kubeconfig", cluster.kubeconfig]
    command += ["--kubelet-root", cluster.layout.node(node) / "kubelet", "--cdi-dir", specs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "registered\n"
            yield specs
        finally:
            process.terminate()
            process.wait(60)
            kubectl("delete", SLICE.format(node=node), CLASS, "--ignore-not-found")


def test_a_pod_has_the_card_that_its_claim_got(kubectl: Kubectl, driver: Path) -> None:
    """The next one waits until that has gone; then the spec of the first claim has gone, too."""
    class_, template, first = yaml.safe_load_all((EXAMPLE / "cards.yaml").read_text())
    kubectl.apply(class_, template, first)
    eventually(lambda: is_ready(kubectl.get("pod", "first")), what="first runs")
    assert eventually(lambda: kubectl("logs", "first")) == "has card-0 of model K1\n"
    [claim] = kubectl.get("resourceclaims")
    assert claim["metadata"]["name"].startswith("first-card-")
    assert kubectl("get", "resourceclaims", "--no-headers").split()[1] == "allocated,reserved"
    spec_of_first = driver / f"cards.example.com-{claim['metadata']['uid']}.json"
    assert spec_of_first.exists()

    kubectl.apply({**first, "metadata": {"name": "second"}})
    why = "cannot allocate all claims"
    eventually(lambda: why in _why_it_waits(kubectl, "second"), what="second waits")
    kubectl("delete", "pod", "first")
    eventually(lambda: is_ready(kubectl.get("pod", "second")), what="second runs")
    assert eventually(lambda: kubectl("logs", "second")) == "has card-0 of model K1\n"
    eventually(lambda: not spec_of_first.exists(), what="the first claim is put away")
    kubectl("delete", "pod", "second")
    eventually(lambda: not kubectl.get("resourceclaims"), what="the claims have gone")


def _why_it_waits(kubectl: Kubectl, name: str) -> str:
    conditions = kubectl.get("pod", name).get("status", {}).get("conditions", [])
    return next((each.get("message", "") for each in conditions if each["type"] == "PodScheduled"), "")
