"""The wall around each pod's share of what serves all pods in turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kubelet.containment import contained
from machinery.model.errors import ApiError, Unavailable
from tests.support.volumes import KeptWarnings


@pytest.mark.parametrize(
    "error", [OverflowError("too large"), MemoryError(), ExceptionGroup("x", [KeyError("k")])]
)
def test_whoever_follows_goes_on(error: Exception):
    """What a block throws is logged with where it came from."""
    log: Any = KeptWarnings()
    with contained(log, "not_done", pod="web"):
        raise error
    [(_, _, event, fields)] = log.all
    assert event == "not_done"
    assert "'pod': 'web'" in fields
    assert "Traceback" in fields


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), Unavailable("gone")])
def test_what_others_handle_passes(error: BaseException):
    """Cancellation, the end of the process, and errors that the caller asks for."""
    log: Any = KeptWarnings()
    with pytest.raises(type(error)), contained(log, "not_done", passing=ApiError):
        raise error
    assert log.all == []
