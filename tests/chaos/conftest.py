"""Whole clusters of real processes that are broken on purpose, at random, from a printed seed."""

from tests.support.clusters import images, start_cluster

__all__ = ["images", "start_cluster"]
