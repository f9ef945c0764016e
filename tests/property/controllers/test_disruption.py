"""PodDisruptionBudgets under any population: never more allowed than is healthy above what is wanted."""

from hypothesis import given
from hypothesis import strategies as st

from controllers.disruption.plan import Budget
from controllers.disruption.scales import Scale
from tests.support.budgets import KINDS, budget, counts, plan_for, pods
from tests.support.controllers import at, status_of
from tests.support.examples import examples

numbers = st.integers(0, 12)
shares = numbers | numbers.map(lambda number: f"{number * 9}%")
specs = shares.map(lambda share: {"minAvailable": share}) | shares.map(
    lambda share: {"maxUnavailable": share}
)


@examples(60)
@given(
    spec=specs,
    of=numbers,
    ready=numbers,
    scale=numbers,
    evicted=st.dictionaries(numbers, st.integers(0, 150)),
)
def test_no_eviction_is_allowed_that_takes_the_healthy_below_what_is_wanted(spec, of, ready, scale, evicted):
    """Those that are evicted and still there do not count, until their time is over."""
    noted = {f"web-{number}": at(-age_s) for number, age_s in evicted.items()}
    members = pods(of, min(of, ready))
    seen = Budget(
        budget(status={"disruptedPods": noted}, **spec), members, {"uid-rs": Scale("uid-rs", scale)}, KINDS
    )
    made = plan_for(seen)
    _expected, desired, healthy, allowed = counts(made)
    waiting = {number for number, age_s in evicted.items() if age_s <= 120 and number < of}
    assert healthy == len([number for number in range(min(of, ready)) if number not in waiting])
    assert 0 <= allowed <= max(0, healthy - desired)
    assert allowed == 0 or healthy - allowed >= desired
    kept = noted.keys() - (status_of(made).get("disruptedPods") or {})
    assert {f"web-{number}" for number in waiting} <= kept
