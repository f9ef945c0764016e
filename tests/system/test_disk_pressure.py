"""A node whose own small disk runs full: first what nobody uses goes, then pods by rank; nobody new comes meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

NAME = "small-disk"
TAINT = "node.kubernetes.io/disk-pressure"
SIZE = 64 * 2**20  # of which a quarter has to be left: 16Mi


@pytest.fixture(scope="module")
def disk(cluster: Cluster) -> Iterator[Path]:
    """The kubelet's folder of a node of its own, which is a file system of 64Mi."""
    need("mounts")
    folder = Path(cluster.layout.node(NAME), "kubelet")
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "kubarium-test", folder], check=True)
    try:
        cluster.add_node(
            name=NAME,
            labels={"tests.kubarium.dev/disk": "small"},
            taints=["tests.kubarium.dev/disk:NoSchedule"],
            kubelet_args={
                "eviction-hard": "nodefs.available<25%",
                "eviction-pressure-transition-period-s": "5",
            },
        )
        cluster.wait_ready()
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], capture_output=True, check=False)
        cluster.remove_node(NAME)


def pod(name: str, mebibytes: int, requests: str = "0", **spec: Any) -> dict[str, Any]:
    """Build a pod for the small disk that writes so much into a volume there, and goes on."""
    script = f"head -c {mebibytes * 2**20} /dev/zero >/data/file; exec sleep 3600"
    main = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "resources": {"requests": {"ephemeral-storage": requests}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "containers": [main],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "nodeSelector": {"tests.kubarium.dev/disk": "small"},
            "tolerations": [{"key": "tests.kubarium.dev/disk", "operator": "Exists"}],
            "terminationGracePeriodSeconds": 1,  # with 0 its object would go before its volume
            **spec,
        },
    }


def talker() -> dict[str, Any]:
    """Build a pod that ends at once and leaves nothing but a log of about 9Mi."""
    made = pod("talker", 0, restartPolicy="Never")
    made["spec"]["containers"][0]["command"] = ["sh", "-c", "yes kubarium | head -c 2500000"]
    return made


def pressure(kubectl: Kubectl) -> tuple[str, str, list[str]]:
    """Return the status and the reason of the node's condition, and the effects of its taint."""
    found = kubectl.get("node", NAME)
    [(status, reason)] = [
        (each["status"], each["reason"])
        for each in found["status"]["conditions"]
        if each["type"] == "DiskPressure"
    ]
    return (
        status,
        reason,
        [each["effect"] for each in found["spec"].get("taints", []) if each["key"] == TAINT],
    )


CALM = ("False", "KubeletHasNoDiskPressure", [])
SHORT = ("True", "KubeletHasDiskPressure", ["NoSchedule"])


def is_over(kubectl: Kubectl, name: str) -> bool:
    """Whether a pod has succeeded, and has its last status: its sandbox is stopped."""
    status = kubectl.get("pod", name)["status"]
    conditions = {each["type"]: each["status"] for each in status["conditions"]}
    return status["phase"] == "Succeeded" and conditions.get("PodReadyToStartContainers") == "False"


def logs(disk: Path, name: str) -> int:
    """Return how many bytes the logs of a pod take."""
    return sum(each.stat().st_size for each in disk.glob(f"logs/*_{name}_*/**/*") if each.is_file())


def test_a_node_short_of_disk_makes_room_then_evicts_by_rank_and_recovers(
    kubectl: Kubectl, disk: Path
) -> None:
    """What an ended pod left behind goes before anybody has to; then who wrote more than asked for, the largest first."""
    kubectl.apply(talker(), pod("modest", 20, requests="30Mi"), pod("greedy", 6))
    eventually(lambda: is_over(kubectl, "talker"), timeout_s=90)
    for name in ("modest", "greedy"):
        eventually(lambda name=name: is_ready(kubectl.get("pod", name)), timeout_s=90)
    left = logs(disk, "talker")
    assert left > 4 * 2**20
    # --- too full by less than the log
    before = kubectl.get("pod", "talker")["status"]
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * (SIZE * 3 // 4 - used(disk) + left // 2))
    eventually(lambda: logs(disk, "talker") == 0, timeout_s=90, what="the log of the ended pod gone")
    assert kubectl.get("pod", "talker")["status"] == before
    for name in ("modest", "greedy"):
        assert is_ready(kubectl.get("pod", name))
    # --- too full
    ballast.write_bytes(b"x" * (SIZE * 3 // 4 - 22 * 2**20))

    def greedy() -> Any:
        status = kubectl.get("pod", "greedy")["status"]
        return status if status.get("reason") == "Evicted" else None

    status: Any = eventually(greedy, timeout_s=90, what="greedy evicted")
    low = "The node was low on resource: ephemeral-storage. Threshold quantity: 16Mi, available: "
    assert status["message"].startswith(low)
    [why] = [each for each in status["conditions"] if each["type"] == "DisruptionTarget"]
    assert (why["status"], why["reason"]) == ("True", "TerminationByKubelet")
    assert is_ready(kubectl.get("pod", "modest"))
    # --- and with nobody left to evict: nobody comes
    kubectl("delete", "pod", "modest", "--wait=true")
    eventually(lambda: pressure(kubectl) == CALM, timeout_s=90, what="calm after the eviction")
    eventually(lambda: used(disk) - ballast.stat().st_size < 2**20, timeout_s=90, what="their volumes gone")
    ballast.write_bytes(b"x" * (SIZE * 3 // 4 + 2**21))
    eventually(lambda: pressure(kubectl) == SHORT, timeout_s=90, what="short")
    kubectl.apply(pod("late", 1), pod("bound", 1, nodeName=NAME))
    refused: Any = eventually(
        lambda: found if (found := kubectl.get("pod", "bound")["status"])["phase"] == "Failed" else None,
        timeout_s=90,
    )
    assert (refused["reason"], refused["message"]) == (
        "Evicted",
        "Pod was rejected: The node had condition: [DiskPressure]. ",
    )
    ballast.unlink()
    eventually(lambda: pressure(kubectl) == CALM, timeout_s=90, what="calm in the end")
    eventually(lambda: is_ready(kubectl.get("pod", "late")), timeout_s=90)


def used(disk: Path) -> int:
    """Return how many bytes of the file system are taken."""
    done = subprocess.run(
        ["df", "--output=used", "--block-size=1", disk], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])
