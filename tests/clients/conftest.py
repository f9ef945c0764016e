"""Programs of users on the clients that they use, unmodified, against clusters with real containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.clusters import clusters, images
from tests.support.requirements import need
from tests.support.stories import Stories

__all__ = ["images", "stories"]


@pytest.fixture(scope="session")
def stories(
    images: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stories]:
    """What users do, all of it begun."""
    need("etcd", "docker", "cni", "kubectl", "uv")
    with clusters() as start:
        running = Stories(request.session.items, start, tmp_path_factory.mktemp("users"))
        try:
            yield running
        finally:
            running.close()
