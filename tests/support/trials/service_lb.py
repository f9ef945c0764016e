"""Load balancers that come, move and go."""

from __future__ import annotations

import msgspec

from controllers import (
    service_lb,
)
from machinery.model.load_balancers import ANNOUNCER, addresses
from machinery.model.resources import (
    NODES,
    SERVICES,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def balancers_come_and_go(world: CrashWorld) -> None:
    """Two; another node comes, and the one that answers for them dies; one becomes an ordinary Service, the other one goes."""
    await world.server.given(NODES, builders.node("node-1"))
    for name, address in (("one", "10.96.0.11"), ("two", "10.96.0.12")):
        spec = {"ports": [{"port": 80}], "type": "LoadBalancer", "clusterIP": address}
        document = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
        await world.server.given(SERVICES, msgspec.convert(document, SERVICES.type))
        await world.settle()
    made = [await world.user.get(SERVICES, name, namespace="default") for name in ("one", "two")]
    assert [addresses(each) for each in made] == [["10.77.0.211"], ["10.77.0.212"]]
    assert [each.metadata.annotations[ANNOUNCER] for each in made] == ["node-1", "node-1"]
    await world.server.given(NODES, builders.node("node-2"))
    await world.settle()
    silent = {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
    await world.user.patch(NODES, "node-1", silent, subresource="status")
    await world.settle()
    moved = await world.user.get(SERVICES, "one", namespace="default")
    assert moved.metadata.annotations[ANNOUNCER] == "node-2"
    await world.user.patch(SERVICES, "one", {"spec": {"type": "ClusterIP"}}, namespace="default")
    await world.user.delete(SERVICES, "two", namespace="default")
    await world.settle()
    found = [each for each in (await world.user.list(SERVICES)).items if each.metadata.name in {"one", "two"}]
    assert [(each.metadata.name, each.metadata.finalizers, each.metadata.annotations) for each in found] == [
        ("one", [], {})
    ]


TRIALS = (Trial(balancers_come_and_go, (service_lb.build,), writes=9),)
