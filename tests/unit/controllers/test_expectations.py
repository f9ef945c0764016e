"""What was written and is not seen yet."""

import pytest
from msgspec.structs import replace

from controllers.core.expectations import TIMEOUT_S, Expectations, Gone, Removed, Unclear, Written
from machinery.model.resources import PODS
from tests.support.builders import meta

PLACE = ("pods", "default", "web")
SEEN = meta("web", "default", uid="u", resourceVersion="10")


def wait_s(expectations, found, now_s=0.0):
    return expectations.wait_s("key", now_s, lambda _place: found)


@pytest.fixture
def expectations():
    return Expectations()


def test_a_key_that_has_written_nothing_does_not_wait(expectations):
    """Nor does it wait for what another key wrote."""
    expectations.expect("other", Written(PLACE, "u", 10), 0)
    assert wait_s(expectations, None) is None


def test_a_write_is_waited_for_until_it_is_seen(expectations):
    """At its revision or a later one."""
    expectations.expect("key", Written(PLACE, "u", 10), 0)
    assert wait_s(expectations, None) == TIMEOUT_S
    assert wait_s(expectations, replace(SEEN, resourceVersion="9"), 1.0) == TIMEOUT_S - 1
    assert wait_s(expectations, SEEN) is None
    assert wait_s(expectations, None) is None


def test_an_object_that_came_and_went_is_not_waited_for():
    """Its deletion may be seen before the answer to the create."""
    gone = Gone()
    expectations = Expectations(gone)
    gone.note("u")
    expectations.expect("key", Written(PLACE, "u", 10), 0)
    assert wait_s(expectations, None) is None


@pytest.mark.parametrize(
    "found",
    [None, replace(SEEN, uid="another"), replace(SEEN, deletionTimestamp="2026-01-01T00:00:00Z")],
)
def test_a_deletion_is_seen_as_absence_or_as_its_mark(expectations, found):
    """Graceful deletion only marks."""
    expectations.expect("key", Removed(PLACE, "u"), 0)
    assert wait_s(expectations, SEEN) == TIMEOUT_S
    assert wait_s(expectations, found) is None


def test_the_last_news_that_a_key_waits_for_wake_it():
    """What is older does not, nor what others wait for, nor a part."""
    gone = Gone()
    expectations = Expectations(gone)
    other = ("pods", "default", "db")
    expectations.expect("key", Written(PLACE, "u", 10), 0)
    expectations.expect("other", Written(other, "v", 10), 0)
    expectations.expect("both", Written(PLACE, "u", 10), 0)
    expectations.expect("both", Removed(other, "v"), 0)
    assert list(expectations.saw(PLACE, replace(SEEN, resourceVersion="9"))) == []
    assert expectations.saw(PLACE, SEEN) == ["key"]
    assert list(expectations.saw(PLACE, SEEN)) == []
    assert expectations.is_open("both")
    gone.note("v")
    assert expectations.saw(other, None) == ["other", "both"]
    assert not expectations.is_open("both")


def test_an_unclear_create_is_not_settled_by_what_is_seen(expectations):
    """Its key waits for the answer."""
    expectations.expect("key", Unclear(PODS, "default", "web"), 0)
    assert list(expectations.saw(("pods", "default", "web"), SEEN)) == []


def test_what_is_never_seen_is_given_up(expectations):
    """After five minutes."""
    expectations.expect("key", Written(PLACE, "u", 10), 0)
    assert wait_s(expectations, None, TIMEOUT_S - 1) == pytest.approx(1)
    assert wait_s(expectations, None, TIMEOUT_S) is None


def test_an_unclear_create_is_settled_by_a_live_look(expectations):
    """It did not happen: nothing to wait for. It did: the cache has to show it."""
    for name in ("a", "b"):
        expectations.expect("key", Unclear(PODS, "default", name), 0)
    first, second = expectations.unclear("key")
    expectations.settle("key", first, None, 0)
    expectations.settle("key", second, SEEN, 0)
    assert expectations.unclear("key") == []
    assert wait_s(expectations, None) == TIMEOUT_S
    assert wait_s(expectations, SEEN) is None


def test_a_place_is_awaited_while_anybody_waits_for_something_at_it():
    """Of several controllers: what nobody waits for need not be told to any of them."""
    gone = Gone()
    one, other = Expectations(gone), Expectations(gone)
    assert not gone.is_awaited(PLACE)
    one.expect("key", Written(PLACE, "u", 10), 0)
    one.expect("both", Written(PLACE, "u", 10), 0)
    other.expect("key", Removed(PLACE, "u"), 0)
    one.saw(PLACE, SEEN)
    assert gone.is_awaited(PLACE)
    other.saw(PLACE, None)
    assert not gone.is_awaited(PLACE)
