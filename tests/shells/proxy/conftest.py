"""A laboratory of network namespaces, where the machine allows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import netns
from tests.support.requirements import need


@pytest.fixture(scope="module")
def lab() -> Iterator[netns.Lab]:
    """Two nodes with two pods each."""
    need("netns")
    with netns.lab() as made:
        yield made
