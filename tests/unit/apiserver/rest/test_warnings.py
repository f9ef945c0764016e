"""Warnings do not make a head of megabytes."""

from __future__ import annotations

import pytest

from apiserver.rest.replies import reply
from apiserver.rest.warnings import bounded


def test_a_few_are_sent_as_they_are() -> None:
    """Each once, in their order."""
    assert bounded(["b", "a", "", "b"]) == ["b", "a"]
    assert bounded(["x" * 4096]) == ["x" * 4096]


def test_what_does_not_fit_is_cut() -> None:
    """Each to 256 characters, until there are 4,096."""
    cut = bounded([f"{number:04}" + "x" * 4000 for number in range(60_000)])
    assert cut == [f"{number:04}" + "x" * 252 for number in range(16)]
    assert bounded(["x" * 4097]) == ["x" * 256]
    assert len(bounded([f"{number}" for number in range(60_000)])) < 4096


@pytest.mark.parametrize("warning", ['"' * 100_000, "é" * 100_000, "\r\n" * 100_000])
def test_a_head_stays_small_whatever_they_are(warning: str) -> None:
    """Quotes take two characters each."""
    answer = reply(b"", warnings=[f"{number}{warning}" for number in range(1_000)])
    assert sum(len(value) for _, value in answer.headers) < 16 * 1024
