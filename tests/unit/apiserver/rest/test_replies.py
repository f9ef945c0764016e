"""What a request that failed is answered with."""

from __future__ import annotations

import msgspec

from apiserver.rest.replies import error_reply
from machinery.model.errors import NotFound, TooManyRequests


def test_who_is_refused_for_now_hears_when_to_come_again() -> None:
    """By a header, and in the Status; nobody else does."""
    answer = error_reply(TooManyRequests("later", retry_after_s=7))
    assert (answer.status, dict(answer.headers)["Retry-After"]) == (429, "7")
    assert msgspec.json.decode(answer.body)["details"]["retryAfterSeconds"] == 7
    assert "Retry-After" not in dict(error_reply(NotFound("no")).headers)
