"""Pod ranges of any set of nodes: never twice, the same every time."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.node_ranges import node, ranges

taken = st.sampled_from(["", "", "10.244.1.0/24", "10.244.3.0/24", "10.244.4.0/23", "10.244.9.64/26"])


@examples(100)
@given(cidrs=st.lists(taken, max_size=20, unique_by=lambda cidr: cidr or object()), seed=st.randoms())
def test_no_range_is_given_twice(cidrs, seed):
    """Whatever order the nodes come in."""
    nodes = [node(f"n{index}", cidr) for index, cidr in enumerate(cidrs)]
    given_out = ranges(nodes)
    assert given_out.keys() == {one.metadata.name for one in nodes if not one.spec.podCIDR}
    every = [ipaddress.ip_network(text) for text in [*given_out.values(), *filter(None, cidrs)]]
    for index, network in enumerate(every):
        assert not any(network.overlaps(other) for other in every[index + 1 :])
    seed.shuffle(nodes)
    assert ranges(nodes) == given_out
