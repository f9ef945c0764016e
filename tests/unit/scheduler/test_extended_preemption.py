"""Which pods extenders are asked about, before they go for one of higher priority."""

import pytest

from scheduler.core.extended_preemption import cheapest
from scheduler.core.pod import PodReader
from scheduler.core.preemption import Victims
from tests.support.builders import pod


@pytest.mark.parametrize(("nodes", "sent"), [(200, 100), (1_100, 110), (5_000, 150)])
def test_as_many_nodes_are_sent_as_kubernetes_sends(nodes: int, sent: int):
    """A tenth of all, at least 100; those whose victims cost least."""
    reader = PodReader()
    offers = {
        f"node-{number}": Victims((reader.read(pod(f"low-{number}", priority=150 - number)),), 0)
        for number in range(150)
    }
    assert set(cheapest(offers, nodes)) == {f"node-{number}" for number in range(150 - sent, 150)}
