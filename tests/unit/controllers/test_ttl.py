"""How long a kubelet may keep something: https://kubernetes.io/docs/reference/labels-annotations-taints/."""

import pytest

from controllers.ttl.controller import TTL, Seen, plan, says
from controllers.ttl.sizes import Size
from tests.support import builders
from tests.support.controllers import moment


@pytest.mark.parametrize(
    ("up_to", "down_to", "ttl_s"),
    [
        (0, 0, 0),
        (100, 100, 0),
        (101, 101, 15),
        (101, 90, 15),
        (101, 89, 0),
        (500, 500, 15),
        (501, 450, 30),
        (501, 449, 15),
        (1001, 900, 60),
        (2001, 1800, 300),
        (2001, 1799, 60),
        (2001, 0, 0),
    ],
)
def test_it_grows_with_the_cluster(up_to, down_to, ttl_s):
    """It shrinks later than it grows."""
    size = Size()
    for _ in range(up_to):
        size.one_more()
    for _ in range(up_to - down_to):
        size.one_less()
    assert size.ttl_s == ttl_s


def test_a_node_is_told_how_long():
    """That very node."""
    node = builders.node("node-1")
    assert not says(node, 15)
    [patch] = plan(Seen(node, 15), moment()).actions
    assert patch.patch == {"metadata": {"uid": node.metadata.uid, "annotations": {TTL: "15"}}}
