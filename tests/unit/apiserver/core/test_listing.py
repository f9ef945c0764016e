"""Continue tokens and the options of lists and watches."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.core import listing
from machinery.model.errors import BadRequest, Invalid
from tests.support.examples import examples


@examples(100)
@given(revision=st.integers(1, 2**62), place=st.text(min_size=1))
def test_a_token_reads_back_as_what_it_was(revision: int, place: str) -> None:
    """Every page that is handed out can be asked for."""
    page = listing.after(place, revision)
    assert listing.decode_continue(page.encode(), "") == page


@examples(100)
@given(token=st.text())
def test_any_other_text_is_refused(token: str) -> None:
    """A token that is not ours is a 400, whatever it is."""
    with pytest.raises(BadRequest, match="continue key is not valid"):
        listing.decode_continue(token, "")


@pytest.mark.parametrize(
    "json",
    [b"[]", b'{"v":"v9","rv":1,"start":"a"}', b'{"v":"meta.k8s.io/v1","rv":0,"start":"a"}',
     b'{"v":"meta.k8s.io/v1","rv":1,"start":""}', b'{"v":"meta.k8s.io/v1","rv":true,"start":"a"}',
     b'{"v":"meta.k8s.io/v1","rv":9223372036854775808,"start":"a"}', b"[" * 100_000],
)  # fmt: skip
def test_a_token_has_to_make_sense(json: bytes) -> None:
    """Well-formed JSON is not enough."""
    with pytest.raises(BadRequest):
        listing.decode_continue(urlsafe_b64encode(json).decode(), "")


@pytest.mark.parametrize("text", ["x", "-1", "1.0", "٣", "9223372036854775808", "9" * 30])
def test_a_revision_is_a_number_of_64_bits(text: str) -> None:
    """Anything else is a 400 that quotes it."""
    with pytest.raises(BadRequest, match="resourceVersion"):
        listing.parse_revision(text)


def test_a_watch_with_initial_events_says_how_old_they_may_be() -> None:
    """The option needs its companion."""
    listing.check_watch("NotOlderThan", "", initial_events=True)
    with pytest.raises(
        Invalid, match="sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    ):
        listing.check_watch("", "", initial_events=True)
    with pytest.raises(Invalid, match="forbidden for watch unless sendInitialEvents is provided"):
        listing.check_watch("NotOlderThan", "", initial_events=None)


def test_a_page_has_a_revision_of_its_own() -> None:
    """Another one beside the token is a 400."""
    listing.check_list("", "0", "token", initial_events=None)
    with pytest.raises(BadRequest, match="not allowed when using continue"):
        listing.check_list("", "5", "token", initial_events=None)
