"""The life of a Pod in the store: created, changed, bound, observed, deleted."""

from __future__ import annotations

from copy import deepcopy

import pytest

from apiserver.core.kinds import pods
from apiserver.core.podspec.binding import bind, deletion_grace_s
from apiserver.core.values import Json
from machinery.model.errors import Conflict, Invalid
from tests.support.pod_specs import CONTEXT, complaints, created, pod, update_complaints, updated, with_status
from tests.support.stalls import using

NOW = "2026-01-01T00:00:09Z"
_RESTART_42: Json = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}


def _changed(obj: Json, **spec: object) -> Json:
    new = deepcopy(obj)
    new["spec"].update(spec)
    return new


def _binding(**meta: object) -> Json:
    return {"metadata": {"name": "web", **meta}, "target": {"kind": "Node", "name": "node-1"}}


def test_a_new_pod_waits_for_a_node() -> None:
    """Its status is the server's, whatever the client sent."""
    sent = pod(container={"resources": {"requests": {"cpu": "1"}}})
    sent["status"] = {"phase": "Running", "podIP": "10.0.0.1"}
    stored = created(sent)
    assert stored["status"] == {"phase": "Pending", "qosClass": "Burstable"}
    assert stored["metadata"]["generation"] == 1


def test_a_gated_pod_says_so() -> None:
    """A pod with scheduling gates is not scheduled, for that reason."""
    (condition,) = created(pod(schedulingGates=[{"name": "a"}]))["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "PodScheduled",
        "False",
        "SchedulingGated",
    )


def test_match_label_keys_become_part_of_the_selector() -> None:
    """The pod's own value of each key is what its selector asks for."""
    sent = pod(
        topologySpreadConstraints=[
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "web"}},
                "matchLabelKeys": ["hash", "absent"],
            },
        ],
    )
    sent["metadata"]["labels"] = {"hash": "x"}
    selector = created(sent)["spec"]["topologySpreadConstraints"][0]["labelSelector"]
    assert selector["matchExpressions"] == [{"key": "hash", "operator": "In", "values": ["x"]}]


@pytest.mark.parametrize(
    ("selector", "repeats"),
    [
        ({"matchLabels": {"app": "web"}}, False),
        ({"matchLabels": {"hash": "x"}}, True),
        ({"matchExpressions": [{"key": "hash", "operator": "Exists"}]}, True),
    ],
)
def test_a_key_is_asked_for_by_one_of_both(selector: Json, repeats: bool) -> None:
    """A selector that asks for the label already leaves the key nothing to say, in spreading and in affinity."""
    term = {"topologyKey": "zone", "labelSelector": selector, "matchLabelKeys": ["other", "hash"]}
    constraint = {**term, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    sent = pod(topologySpreadConstraints=[constraint], affinity={"podAffinity": {required: [term]}})
    sent["metadata"]["labels"] = {"hash": "x"}
    text = 'matchLabelKeys[1]: Invalid value: "hash": exists in both matchLabelKeys and labelSelector'
    places = (f"spec.affinity.podAffinity.{required}[0]", "spec.topologySpreadConstraints[0]")
    assert complaints(sent) == ([f"{place}.{text}" for place in places] if repeats else [])
    if not repeats:
        stored = created(sent)
        assert update_complaints(deepcopy(stored), stored) == []


def test_an_image_may_change_and_is_the_next_generation() -> None:
    """A changed spec is a new generation; a changed label is none."""
    old = created(pod())
    new = deepcopy(old)
    new["spec"]["containers"][0]["image"] = "app:2"
    assert updated(new, old)["metadata"]["generation"] == 2
    labelled = deepcopy(old)
    labelled["metadata"]["labels"] = {"a": "b"}
    assert updated(labelled, old)["metadata"]["generation"] == 1


def test_other_fields_stay() -> None:
    """A change of another field is refused, and named."""
    old = created(pod())
    (found,) = update_complaints(_changed(old, hostNetwork=True), old)
    assert found.startswith("spec: Forbidden: pod updates may not change fields other than `spec.containers")
    assert found.endswith("changed: spec.hostNetwork")


def test_containers_are_neither_added_nor_removed() -> None:
    """The list of containers is what it was."""
    old = created(pod())
    both = [*old["spec"]["containers"], {"name": "two", "image": "x"}]
    assert update_complaints(_changed(old, containers=both), old) == [
        "spec.containers: Forbidden: pod updates may not add or remove containers",
    ]


def test_a_toleration_may_be_added_or_get_another_time() -> None:
    """Tolerations grow; none goes."""
    toleration = {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    old = created(pod(tolerations=[toleration]))
    more = [{**toleration, "tolerationSeconds": 5}, {"key": "b", "operator": "Exists"}]
    assert update_complaints(_changed(old, tolerations=more), old) == []
    assert update_complaints(_changed(old, tolerations=[]), old) == [
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
    ]


def test_many_tolerations_are_compared_in_linear_time() -> None:
    """Each with each would be 50 million comparisons."""
    many = [{"key": f"k{number}", "operator": "Exists"} for number in range(10_000)]
    old = created(pod(tolerations=many))
    with using(less_than_s=2):
        assert update_complaints(_changed(old, tolerations=many[::-1]), old) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, 5, []),
        (5, 4, []),
        (5, 6, ["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"]),
        (5, None, ["spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"]),
    ],
)  # fmt: skip
def test_a_deadline_only_comes_nearer(before: int | None, after: int | None, expected: list[str]) -> None:
    """The active deadline may be set and shortened."""
    old = created(pod(activeDeadlineSeconds=before) if before else pod())
    assert update_complaints(_changed(old, activeDeadlineSeconds=after), old) == expected


def test_a_negative_grace_period_may_become_one_second() -> None:
    """The one change of a grace period that is allowed."""
    old = created(pod(terminationGracePeriodSeconds=-1))
    assert update_complaints(_changed(old, terminationGracePeriodSeconds=1), old) == []
    assert update_complaints(_changed(old, terminationGracePeriodSeconds=2), old) != []


def test_gates_are_lifted_and_a_gated_pod_may_be_narrowed() -> None:
    """Gates go, none comes; while one is there nodeSelector and node affinity may get narrower."""
    old = created(pod(schedulingGates=[{"name": "a"}], nodeSelector={"disk": "ssd"}))
    assert update_complaints(_changed(old, schedulingGates=[]), old) == []
    assert update_complaints(_changed(old, schedulingGates=[{"name": "b"}]), old) == [
        "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'b'",
    ]
    assert update_complaints(_changed(old, nodeSelector={"disk": "ssd", "zone": "a"}), old) == []
    assert update_complaints(_changed(old, nodeSelector={"zone": "a"}), old) != []


def test_the_node_affinity_of_a_gated_pod_gets_narrower_only() -> None:
    """Requirements are added to its terms; none goes, and no term comes."""
    zone = {"key": "zone", "operator": "In", "values": ["a"]}
    disk = {"key": "disk", "operator": "Exists"}
    old = created(pod(schedulingGates=[{"name": "g"}], affinity=_node_affinity([zone])))
    assert update_complaints(_changed(old, affinity=_node_affinity([zone, disk])), old) == []
    (found,) = update_complaints(_changed(old, affinity=_node_affinity([disk])), old)
    assert found.endswith("only additions are allowed (no mutations or deletions)")
    (found,) = update_complaints(_changed(old, affinity=_node_affinity([zone], [disk])), old)
    assert found.endswith("no additions/deletions to non-empty NodeSelectorTerms list are allowed")


def _node_affinity(*terms: list[Json]) -> Json:
    selector = {"nodeSelectorTerms": [{"matchExpressions": term} for term in terms]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": selector}}


def test_a_binding_gives_the_pod_its_node() -> None:
    """The node, the condition and the annotations come; no node is kept any more; generation and the given pod stay."""
    old = created(pod())
    old["status"]["nominatedNodeName"] = "node-2"
    before = deepcopy(old)
    bound = bind(old, _binding(annotations={"a": "b"}), NOW)
    assert bound["spec"]["nodeName"] == "node-1"
    assert bound["metadata"]["annotations"] == {"a": "b"}
    assert bound["metadata"]["generation"] == 1
    assert bound["status"]["conditions"] == [
        {
            "type": "PodScheduled",
            "status": "True",
            "lastTransitionTime": NOW,
            "observedGeneration": 1,
        },
    ]
    assert "nominatedNodeName" not in bound["status"]
    assert old == before


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"spec": {"nodeName": "node-2"}}, 'pod web is already assigned to node "node-2"'),
        (
            {"metadata": {"deletionTimestamp": NOW}},
            "pod web is being deleted, cannot be assigned to a host",
        ),
        ({"spec": {"schedulingGates": [{"name": "a"}]}}, "pod web has non-empty .spec.schedulingGates"),
    ],
)
def test_a_pod_is_bound_once(change: Json, expected: str) -> None:
    """A binding that comes too late is a conflict."""
    old = created(pod())
    for part, fields in change.items():
        old[part].update(fields)
    with pytest.raises(Conflict) as caught:
        bind(old, _binding(), NOW)
    assert caught.value.message == f'Operation cannot be fulfilled on pods/binding "web": {expected}'


def test_a_binding_of_another_pod_of_this_name_is_a_conflict() -> None:
    """The uid of a binding, where it has one, is the pod's."""
    with pytest.raises(Conflict, match="UID in precondition: other, UID in object meta: uid-1"):
        bind(created(pod()), _binding(uid="other"), NOW)


def test_a_binding_names_a_node() -> None:
    """A binding without a target is invalid."""
    with pytest.raises(Invalid, match=r"target\.name: Required value"):
        bind(created(pod()), {"metadata": {}, "target": {}}, NOW)


@pytest.mark.parametrize(
    ("node", "phase", "own_s", "requested_s", "expected_s"),
    [
        ("", "Pending", 30, None, 0),
        ("n", "Succeeded", 30, 10, 0),
        ("n", "Running", 30, None, 30),
        ("n", "Running", 30, 5, 5),
        ("n", "Running", 30, 0, 0),
        ("n", "Running", -1, None, 1),
        ("n", "Running", 30, -3, 1),
    ],
)
def test_the_grace_period_of_a_deletion(
    node: str, phase: str, own_s: int, requested_s: int | None, expected_s: int
) -> None:
    """The request wins over the pod; what does not run goes at once."""
    obj = {
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": own_s},
        "status": {"phase": phase},
    }
    assert deletion_grace_s(obj, requested_s) == expected_s


def test_a_status_write_changes_the_status_alone() -> None:
    """The spec and the owners stay; the QoS class and what was observed are not taken back."""
    old = bind(created(pod()), _binding(), NOW)
    old["status"]["observedGeneration"] = 1
    new = _changed(old, nodeName="elsewhere")
    new["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}]
    new["status"] = {"phase": "Running", "podIP": "10.1.0.4", "conditions": [{"type": "Ready", "status": "True"}]}  # fmt: skip
    stored = with_status(new, old)
    assert stored["spec"] == old["spec"]
    assert "ownerReferences" not in stored["metadata"]
    assert stored["status"]["podIPs"] == [{"ip": "10.1.0.4"}]
    assert stored["status"]["qosClass"] == "BestEffort"
    assert stored["status"]["observedGeneration"] == 1
    assert stored["metadata"]["generation"] == 1


def test_a_container_that_ended_for_good_does_not_run_again() -> None:
    """With restartPolicy Never an end is an end."""
    old = created(pod(restartPolicy="Never"))
    ended = {"name": "main", "state": {"terminated": {"exitCode": 1}}, "ready": False, "restartCount": 0, "image": "", "imageID": ""}  # fmt: skip
    old["status"]["containerStatuses"] = [ended]
    new = deepcopy(old)
    new["status"]["containerStatuses"][0]["state"] = {"running": {}}
    with pytest.raises(Invalid, match="may not be transitioned to non-terminated state"):
        with_status(new, old)


@pytest.mark.parametrize(
    ("policy", "own", "code", "may"),
    [
        ("Never", {"restartPolicy": "Always"}, 0, True),
        ("Never", {"restartPolicy": "OnFailure"}, 1, True),
        ("Never", {"restartPolicy": "OnFailure"}, 0, False),
        ("Always", {"restartPolicy": "Never"}, 1, False),
        ("Always", {"restartPolicy": "Never", "restartPolicyRules": [_RESTART_42]}, 42, True),
        ("Always", {"restartPolicy": "Never", "restartPolicyRules": [_RESTART_42]}, 1, False),
    ],
)
def test_a_container_runs_again_by_its_own_policy_and_rules(
    policy: str, own: Json, code: int, may: bool
) -> None:
    """They come before the pod's."""
    old = created(pod(restartPolicy=policy, container=own))
    state = {"terminated": {"exitCode": code}}
    old["status"]["containerStatuses"] = [
        {"name": "main", "state": state, "ready": False, "restartCount": 0, "image": "", "imageID": ""}
    ]
    new = deepcopy(old)
    new["status"]["containerStatuses"][0]["state"] = {"running": {}}
    if may:
        assert "running" in with_status(new, old)["status"]["containerStatuses"][0]["state"]
    else:
        with pytest.raises(Invalid, match="may not be transitioned to non-terminated state"):
            with_status(new, old)


def test_any_container_may_run_again_where_one_restarts_all() -> None:
    """What has ended for good begins again with the others."""
    rule = {**_RESTART_42, "action": "RestartAllContainers"}
    beside = {"name": "beside", "image": "b:1", "restartPolicy": "Never", "restartPolicyRules": [rule]}
    old = created(pod(restartPolicy="Never", initContainers=[beside]))
    told = {"name": "main", "ready": False, "restartCount": 0, "image": "", "imageID": ""}
    old["status"]["containerStatuses"] = [{**told, "state": {"terminated": {"exitCode": 0}}}]
    new = deepcopy(old)
    new["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "PodInitializing"}}
    assert "waiting" in with_status(new, old)["status"]["containerStatuses"][0]["state"]


def test_field_labels() -> None:
    """The fields that selectors may name, as text."""
    stored = created(pod(hostNetwork=True, nodeName="node-1"))
    fields = pods.RULES.fields(stored)
    assert fields["spec.nodeName"] == "node-1"
    assert fields["spec.hostNetwork"] == "true"
    assert fields["status.phase"] == "Pending"
    assert set(fields) == pods.RULES.field_labels


def test_defaults_run_twice_change_nothing() -> None:
    """Defaulting is idempotent."""
    once = created(pod(container={"ports": [{"containerPort": 80}], "livenessProbe": {"httpGet": {"port": 80}}}))  # fmt: skip
    assert updated(once, once) == once
    assert CONTEXT.uid == once["metadata"]["uid"]
