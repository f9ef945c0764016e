"""What a client is warned of, in Kubernetes' words: the table `warnings.txt`, in the form of those of refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from apiserver.core.values import Json
from tests.support.pod_specs import pod
from tests.support.refusals import Refusal, read_table, sent, stored
from tests.support.served_kinds import KINDS, created, example, updated

TABLE: Final = Path(__file__).with_name("warnings.txt").read_text()
OF_PODS: Final = 100  # at most


def warned(case: Refusal) -> tuple[str, ...]:
    """Return the warnings of a valid object."""
    rules = KINDS[case.kind].rules
    assert rules.warnings is not None
    if case.action == "created":
        return rules.warnings(created(sent(case)), None)
    old = stored(case)
    return rules.warnings(updated(sent(case), old), old)


def test_what_is_said_in_vain_or_has_been_replaced_is_told() -> None:
    """Nothing of it keeps the object from being stored."""
    cases = list(read_table(TABLE))
    wrong = [(case.changes, warned(case), case.causes) for case in cases if warned(case) != case.causes]
    assert wrong == []
    assert {case.kind for case in cases} == {
        name for name, kind in KINDS.items() if kind.rules.warnings is not None
    } - {"EndpointSlice", "ReplicaSet", "ReplicationController"}  # like Endpoints and Deployments


def test_examples_are_warned_of_nothing() -> None:
    """Nor is a change that wants nothing else."""
    for kind in KINDS.values():
        if kind.rules.warnings is not None:
            obj = created(example(kind))
            assert kind.rules.warnings(obj, None) == ()


def test_old_faults_are_told_of_once() -> None:
    """A change of the labels of a workload says nothing of its template."""
    [case] = [each for each in read_table(TABLE) if (each.kind, each.action) == ("Deployment", "changed")]
    faulty = updated(sent(case), stored(case))
    labelled: Json = {**faulty, "metadata": {**faulty["metadata"], "labels": {"a": "b"}}}
    rules = KINDS["Deployment"].rules
    assert rules.warnings is not None
    assert rules.warnings(updated(labelled, faulty), faulty) == ()


def test_a_pod_with_many_ports_is_warned_of_some() -> None:
    """Not of every pair of them."""
    ports = [{"containerPort": 80} for _ in range(2000)]
    rules = KINDS["Pod"].rules
    assert rules.warnings is not None
    assert len(rules.warnings(created(pod(container={"ports": ports})), None)) == OF_PODS
