"""EndpointSlices under any history of pods: complete, without copies, at rest after one plan."""

from hypothesis import given
from hypothesis import strategies as st

from controllers.endpointslice.drafts import MOST
from tests.support.endpointslices import addresses, applied, plan_for, pod, service
from tests.support.examples import examples

populations = st.lists(
    st.dictionaries(st.integers(1, 240), st.booleans(), max_size=240), min_size=1, max_size=4
)


@examples(40)
@given(history=populations)
def test_slices_follow_the_pods_in_one_plan(history):
    """Every pod once, no slice above 100, and the second plan is empty."""
    slices = []
    for population in history:
        pods = [pod(number, ready=ready) for number, ready in sorted(population.items())]
        slices = applied(plan_for(service(), pods, slices), slices)
        assert addresses(slices) == sorted(one.status.podIP for one in pods)
        assert all(len(slice_.endpoints) <= MOST for slice_ in slices)
        assert plan_for(service(), pods, slices).actions == ()
        ready = {
            endpoint.targetRef.name: endpoint.conditions.ready
            for slice_ in slices
            for endpoint in slice_.endpoints
        }
        assert ready == {f"web-{number}": state for number, state in population.items()}


@examples(30)
@given(
    population=st.sets(st.integers(1, 240), max_size=150), changed=st.sets(st.integers(1, 240), max_size=5)
)
def test_few_changes_are_few_writes(population, changed):
    """At most one write for each pod that changed, and one more where a slice overflows."""
    pods = {number: pod(number) for number in population}
    slices = applied(plan_for(service(), list(pods.values())))
    for number in changed:
        if pods.pop(number, None) is None:
            pods[number] = pod(number)
    made = plan_for(service(), list(pods.values()), slices)
    written = sum(len(getattr(action, "writes", ())) for action in made.actions)
    assert written <= len(changed) + 1
