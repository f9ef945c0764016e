"""Clusters of several machines: how a node says on which one it is."""

from typing import Final

MACHINE_ADDRESS: Final = (
    "kubarium.dev/machine-address"  # label: the IPv4 address that the other machines know
)
