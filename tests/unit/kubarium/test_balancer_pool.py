"""The addresses of load balancers that a user may choose."""

from __future__ import annotations

import pytest

from kubarium.core.addresses import Addresses
from kubarium.core.balancer_pool import Pool, read_pool
from kubarium.core.spec import ClusterSpec, checked
from kubarium.core.spec_rules import SpecError


@pytest.mark.parametrize(
    ("text", "pool"),
    [
        ("220-230", Pool(220, 230)),
        ("211-254", Pool(211, 254)),
        ("10.77.3.220-10.77.3.220", Pool(220, 220, "10.77.3.")),
        ("10.77.0.224/28", Pool(225, 238, "10.77.0.")),
        ("10.77.0.230/32", Pool(230, 230, "10.77.0.")),
    ],
)
def test_a_pool(text: str, pool: Pool) -> None:
    """Of a network neither the first nor the last address, as hosts have it."""
    assert read_pool(text) == pool


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no pool"),
        ("220", "is no pool"),
        ("220-", "is no pool"),
        ("10.77.0.225/28", "is no pool"),
        ("10.77.0.220-10.77.1.230", "is no pool"),
        ("10.77.0.220-230", "is no pool"),
        ("230-220", "ends before it begins"),
        ("210-220", "not within .211 to .254"),
        ("250-255", "not within .211 to .254"),
        ("10.77.0.0/24", "the machine's and nodes'"),
    ],
)
def test_no_pool(text: str, said: str) -> None:
    """What is a node's, the machine's or nobody's."""
    with pytest.raises(ValueError, match=said):
        read_pool(text)


def test_the_controllers_are_given_the_pool_on_the_clusters_own_backbone() -> None:
    """Whichever slot that is; without one, all that is kept for load balancers."""
    assert Addresses(ClusterSpec(slot=3)).balancer_pool == "10.77.3.211-10.77.3.254"
    spec = ClusterSpec(slot=3, load_balancer_pool="220-230")
    assert Addresses(spec).balancer_pool == "10.77.3.220-10.77.3.230"


def test_a_pool_that_cannot_be_is_named_with_its_option() -> None:
    """As every option is."""
    with pytest.raises(SpecError, match="--load-balancer-pool: 10-20 is not within"):
        checked(ClusterSpec(load_balancer_pool="10-20"))
