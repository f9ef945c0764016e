"""A registry on a store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.apiserver import RegistryBench, running_registry


@pytest.fixture
async def bench() -> AsyncIterator[RegistryBench]:
    """A registry with the namespace `default`."""
    async with running_registry() as running:
        yield running
