"""A laboratory of network namespaces, where the machine allows it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support import netns


@pytest.fixture(scope="module")
def lab() -> Iterator[netns.Lab]:
    """Two nodes with two pods each; skips where there can be none, or fails where CI says that there must."""
    if why := netns.missing():
        if "docker" in os.environ.get("KUBARIUM_REQUIRE", ""):  # what CI has for real nodes has this, too
            pytest.fail(f"a packet filter is required here: {why}")
        pytest.skip(why)
    with netns.lab() as made:
        yield made
