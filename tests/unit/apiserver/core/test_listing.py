"""Continue tokens and the options of lists and watches."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from itertools import product

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
    with pytest.raises(
        BadRequest, match=r"^invalid resource version: resourceVersion: Invalid value: .*ParseUint"
    ):
        listing.parse_revision(text)
    with pytest.raises(Invalid, match=r'^pods "" is invalid: resourceVersion: Invalid value: .*ParseUint'):
        listing.parse_watch_revision(text, "pods")


NO_REVISION = (
    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
)
WITH_PAGE = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided"
NO_MATCH = 'resourceVersionMatch: Unsupported value: "{}": supported values: "Exact", "NotOlderThan", ""'
EXACT_ANY = (
    'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
)
NO_EVENTS = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"
NEEDS_MATCH = (
    "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
)
NEEDS_EVENTS = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
ONE_MATCH = 'resourceVersionMatch: Unsupported value: "{}": supported values: "NotOlderThan"'


def _wrong_list(match: str, revision: str, page: str, *, events: bool | None) -> list[str]:
    """The table of the documentation, written down a second time: which rows of it say what."""
    told = [
        NO_REVISION if match and not revision else "",
        WITH_PAGE if match and page else "",
        NO_MATCH.format(match) if match not in {"", "Exact", "NotOlderThan"} else "",
        EXACT_ANY if (match, revision) == ("Exact", "0") else "",
        NO_EVENTS if events is not None else "",
    ]
    return [text for text in told if text]


def _wrong_watch(match: str, page: str, *, events: bool | None) -> list[str]:
    told = [
        NEEDS_MATCH if events is not None and match != "NotOlderThan" else "",
        NEEDS_EVENTS if match and events is None else "",
        ONE_MATCH.format(match) if match not in {"", "NotOlderThan"} else "",
        WITH_PAGE if match and page else "",
    ]
    return [text for text in told if text]


def _told(check: Callable[[], None], expected: list[str]) -> None:
    if not expected:
        return check()
    with pytest.raises(Invalid) as caught:
        check()
    listed = expected[0] if len(expected) == 1 else f"[{', '.join(expected)}]"
    assert caught.value.message == f'ListOptions.meta.k8s.io "" is invalid: {listed}'
    return None


def test_options_go_together_as_documented() -> None:
    """Every combination of what a list or a watch can say of its revision: all that is wrong is told, in order."""
    every = product(("", "Exact", "NotOlderThan", "Foo"), ("", "0", "5"), ("", "token"), (None, False, True))
    for match, revision, page, events in every:
        wrong = _wrong_watch(match, page, events=events)
        _told(partial(listing.check_watch, match, page, initial_events=events), wrong)
        check = partial(listing.check_list, match, revision, page, initial_events=events)
        expected = _wrong_list(match, revision, page, events=events)
        if not expected and page and revision == "5":
            with pytest.raises(
                BadRequest, match="specifying resource version is not allowed when using continue"
            ):
                check()
        else:
            _told(check, expected)


def test_a_page_has_a_revision_of_its_own() -> None:
    """Another one beside the token is a 400."""
    listing.check_list("", "0", "token", initial_events=None)
    with pytest.raises(BadRequest, match="not allowed when using continue"):
        listing.check_list("", "5", "token", initial_events=None)
