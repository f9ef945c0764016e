"""The proxy's flags."""

from __future__ import annotations

import dataclasses

import pytest

from machinery.process.config import ConfigError, parse
from proxy.config import ProxyConfig

GOOD = ProxyConfig(node_name="node-1", server="10.77.0.1:6444")


def test_flags_that_a_cluster_starts_it_with() -> None:
    """What the supervisor passes is read; the rest has defaults."""
    argv = [
        "--name=proxy@node-1",
        "--server=10.77.0.1:6444",
        "--node-name=node-1",
        "--cluster-cidr=10.244.0.0/16",
    ]
    config = parse(ProxyConfig, [*argv, "--time-scale=20", "--profile=fast"])
    assert (config.node_name, config.cluster_cidr) == ("node-1", "10.244.0.0/16")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cluster_cidr", "10.244.0.1/16"),
        ("cluster_cidr", "fd00::/64"),
        ("cluster_cidr", "fd00::/56,10.244.0.0/16"),
        ("cluster_cidr", "10.244.0.0/16,10.245.0.0/16"),
        ("server", ""),
        ("nodeport_addresses", ("primary", "10.0.0.1/8")),
        ("nodeport_addresses", ("all",)),
        ("sync_period_s", 0.0),
    ],
)
def test_what_does_not_work_is_said_at_once(field: str, value: object) -> None:
    """A wrong value is named by its flag before anything is touched."""
    with pytest.raises(ConfigError) as caught:
        dataclasses.replace(GOOD, **{field: value}).validate()
    assert caught.value.field == field
