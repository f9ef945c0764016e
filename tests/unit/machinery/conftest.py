from collections.abc import AsyncIterator

import pytest

from apiserver import watch_cache_audience
from tests.support.election import Election
from tests.support.scripted_api import local_registry
from tests.support.virtual_clock import VirtualClock


@pytest.fixture
async def election(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Election]:
    """An election with Kubernetes' own intervals, and no jitter."""
    # Its rests are real ones, which virtual time does not wait for.
    monkeypatch.setattr(watch_cache_audience, "LONGEST_REST_S", 0.0)
    clock = VirtualClock()
    async with local_registry(clock) as server:
        yield Election(clock, server)


@pytest.fixture(params=["fast", pytest.param("default", marks=pytest.mark.deep)])
def either(election: Election, request: pytest.FixtureRequest) -> Election:
    """An election with the intervals of either profile, and the longest pauses between polls."""
    election.profile, election.jitter = request.param, 0.999
    return election
