from __future__ import annotations

from pathlib import Path

import pytest

from kubarium.pki import Pki
from tests.support.registry_api import identities


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return identities(Path(tmp_path_factory.mktemp("pki")))
