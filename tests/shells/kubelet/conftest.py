"""What several suites of the kubelet's node half need."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubelet.volumes.mounting import unmount_below
from tests.support.scripted_api import local_registry
from tests.support.virtual_clock import VirtualClock
from tests.support.volumes import VolumeWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[VolumeWorld]:
    """Volumes below a folder of the test's own."""
    clock = VirtualClock()
    async with local_registry(clock) as server:
        yield VolumeWorld(tmp_path, clock, server)
    if os.geteuid() == 0:
        unmount_below(tmp_path)
