"""Preemption by candidates that are kept, compared with a look at every node, list of pods and rule each time."""

import os

from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import changed, pod
from tests.support.examples import examples
from tests.support.preemption_histories import NODES, Both, crowd, crowded, pods, related, steps

ROUNDS = int(os.environ.get("KUBARIUM_ROUNDS") or 120)


@examples(ROUNDS)
@given(
    steps=steps,
    asked=pods,
    priority=st.sampled_from([10, 20, 20]),
    kept=st.sampled_from(["", "", *NODES]),
    tie_break=st.floats(0, 1, exclude_max=True),
)
def test_kept_candidates_say_what_the_rules_say(steps, asked, priority, kept, tie_break):
    """After every change: where a pod goes, who has to go for it, or why nobody. KUBARIUM_ROUNDS makes it longer."""
    both = Both()
    asked = changed(
        asked,
        metadata__uid="uid-asked",
        metadata__name="asked",
        metadata__deletionTimestamp=None,
        spec__nodeName="",
        spec__priority=priority,
    )
    if kept:
        both.nominate(asked, kept)
    for verb, subject in steps:
        both.apply(verb, subject)
        both.check(asked, tie_break)


@examples(ROUNDS)
@given(steps=crowded, spec=related, app=st.sampled_from(["web", ""]))
def test_kept_candidates_follow_what_other_nodes_have(steps, spec, app):
    """Where affinity and spreading decide: a node's victims may be others since a pod has come to another node; all that are as good are found."""
    both = crowd()
    asked = pod("asked", labels={"app": app} if app else {}, priority=10, requests={"cpu": "1"})
    asked = changed(asked, **{f"spec__{name}": value for name, value in spec.items()})
    both.check_all(asked)
    for verb, subject in steps:
        both.apply(verb, subject)
        both.check_all(asked)
