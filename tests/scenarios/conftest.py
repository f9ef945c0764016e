from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kubarium.identity.pki import Pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    # Whoever hands tests out to workers reads this file, too, and needs nothing of it.
    from tests.support.registry_api import identities

    return identities(Path(tmp_path_factory.mktemp("pki")))
