"""What several contract suites run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kubarium.identity.pki import Pki
from tests.support.apiserver import certificates
from tests.support.cri_servers import CriServer, cri_server, dockershim_server
from tests.support.registry_api import identities


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The certificates of a small cluster."""
    folder: Path = tmp_path_factory.mktemp("pki")
    identities(folder)
    return certificates(folder)


@pytest.fixture(scope="session")
def hollow() -> Iterator[CriServer]:
    """The hollow runtime as a process."""
    with cri_server("hollow") as server:
        yield server


@pytest.fixture(scope="session")
def dockershim() -> Iterator[CriServer]:
    """Dockershim as a process in a network namespace of its own."""
    with dockershim_server() as server:
        yield server
