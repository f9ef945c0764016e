"""Of several schedulers and controllers one works, and another follows it in time."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubarium import Cluster
from kubarium.core.components import Component, control_plane
from kubarium.core.places import LocalPlaces
from machinery.client.api import Api
from machinery.model import resources as kinds
from machinery.model.profile import intervals
from machinery.model.requests import Selection
from tests.support.kubectl import Kubectl, eventually
from tests.support.laws import connections, pod, typed
from tests.support.stalls import taking
from tests.support.streams import closing
from tests.support.waiting import remains, rest, until

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


FAST = intervals("fast")


LONGEST_LOOK_S = FAST.leader_retry_s * 2.2  # a standby looks at the lease that often, or more so: it jitters


# One that cannot watch last saw the lease renewed a look late, waits it out, and notices a look late; the rest is work.
TAKEOVER_S = FAST.leader_lease_s + 2 * LONGEST_LOOK_S + 0.5


@contextlib.contextmanager
def second(cluster: Cluster, wanted: str, folder: Path) -> Iterator[None]:
    """Run another of a component, with the same identity files, beside the supervisor's own."""
    component = next(
        each for each in control_plane(LocalPlaces(cluster.spec, cluster.layout)) if each.name == wanted
    )
    flags = component.flags | {"name": f"{wanted}-2", "health-socket": str(folder / "2.health")}
    command = [sys.executable, "-m", component.program, *Component(wanted, wanted, flags).arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[3])
    try:
        eventually((folder / "2.health").exists, timeout_s=120, what=f"a second {wanted}")
        rest(1, "it has looked at the lease, and waits")
        yield
        assert process.poll() is None, (folder / "log").read_text()
    finally:
        process.terminate()
        process.wait(15)


@dataclass
class Bindings:
    """Every node that each pod was ever seen on."""

    nodes: dict[str, set[str]]
    problem: str = ""

    async def watch(self, api: Api, start: int, stop: asyncio.Event) -> None:
        """Follow the pods until told to stop."""
        watch = api.watch(kinds.PODS, Selection("default"), resource_version=str(start))
        async with closing(watch) as stream:
            async for batch in stream:
                for event in batch:
                    if event.object and event.object.spec.nodeName:
                        self.nodes.setdefault(event.object.metadata.name, set()).add(
                            event.object.spec.nodeName
                        )
                if stop.is_set():
                    return


def holder(kubectl: Kubectl, lease: str) -> str:
    """Name who holds a lease."""
    return Kubectl(kubectl.kubeconfig, "kube-system").get("lease", lease)["spec"]["holderIdentity"]


def scheduled(kubectl: Kubectl) -> dict[str, int]:
    """Count the bindings that events tell of, for each pod."""
    counts: dict[str, int] = {}
    for event in kubectl.get("events"):
        if event["reason"] == "Scheduled":
            name = event["involvedObject"]["name"]
            counts[name] = counts.get(name, 0) + event.get("count", 1)
    return counts


@pytest.mark.parametrize(("fault", "remedy"), [("kill", "restart"), ("pause", "resume")])
async def test_a_dead_or_frozen_scheduler_is_followed_by_the_other(
    lawful: Cluster, tmp_path: Path, fault: str, remedy: str
):
    """As soon as the fast profile has it; pods go on being bound, and none twice, also when the first one wakes up."""
    kubectl = Kubectl(lawful.kubeconfig)
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0, what="a ServiceAccount")
    (api, other) = connections(lawful, "admin")
    bindings, stop = Bindings({}), asyncio.Event()
    start = (await api.list(kinds.PODS)).revision
    watching = asyncio.ensure_future(bindings.watch(api, start, stop))

    async def create(prefix: str) -> None:
        for number in range(4):
            await other.create(kinds.PODS, typed(kinds.PODS, **pod(f"{prefix}-{fault}-{number}")))

    async def bound(prefix: str, less_than_s: float) -> None:
        def names() -> list[str]:
            return [name for name in bindings.nodes if name.startswith(f"{prefix}-{fault}-")]

        with taking(less_than_s=less_than_s):
            await until(lambda: len(names()) == 4, within_s=less_than_s + 30, every_s=0.02)

    with second(lawful, "scheduler", tmp_path):
        await create("before")
        await bound("before", 10)
        first = holder(kubectl, "kube-scheduler")
        await create("during")
        getattr(lawful, fault)("scheduler")
        await create("after")
        await bound("after", TAKEOVER_S)
        await bound("during", 4)
        assert holder(kubectl, "kube-scheduler") not in {"", first}
        getattr(lawful, remedy)("scheduler")
        await create("woken")
        await bound("woken", TAKEOVER_S)
        eventually(lambda: state(lawful, "scheduler") == "ready", timeout_s=120)
    await create("back")  # the second gave the lease away when it was told to end
    await bound("back", TAKEOVER_S)
    stop.set()
    await other.delete_collection(kinds.PODS, Selection("default", "", "spec.nodeName=node-1"))
    await asyncio.wait_for(watching, 60)
    assert {name: nodes for name, nodes in bindings.nodes.items() if len(nodes) != 1} == {}
    twice = {name: count for name, count in scheduled(kubectl).items() if count != 1}
    assert twice == {}
    for each in (api, other):
        await each.aclose()


def state(cluster: Cluster, component: str) -> str:
    """Return a component's state."""
    return {row.name: row.state for row in cluster.ps()}[component]


def test_killed_controllers_are_followed_by_the_others(lawful: Cluster, tmp_path: Path):
    """A Deployment that is scaled when they die is what it should be as soon as the fast profile has it."""
    kubectl = Kubectl(lawful.kubeconfig)
    kubectl("create", "deployment", "led", "--image=busybox:1.36", "--replicas=1", "--", "sleep", "3600")
    eventually(lambda: len(kubectl.pods("app=led")) == 1, timeout_s=120, what="a pod")
    with second(lawful, "controllers", tmp_path):
        first = holder(kubectl, "kube-controller-manager")
        lawful.kill("controllers")
        with taking(less_than_s=TAKEOVER_S):
            kubectl("scale", "deployment/led", "--replicas=3")
            eventually(
                lambda: len(kubectl.pods("app=led")) == 3, timeout_s=120, every_s=0.05, what="three pods"
            )
        assert holder(kubectl, "kube-controller-manager") not in {"", first}
        lawful.restart("controllers")
        remains(lambda: len(kubectl.pods("app=led")) == 3, for_s=1)
    kubectl("delete", "deployment", "led", "--wait=false")
