import pytest

from machinery.model import owners, pods, taints
from machinery.model.backoff import Backoff
from machinery.model.clock import Timescale
from machinery.model.conditions import find, set_condition
from machinery.model.errors import BY_REASON, Cause, Invalid, from_status
from machinery.model.k8s.core_v1 import PodCondition, Taint, Toleration
from machinery.model.profile import INTERVALS
from tests.support import builders


def test_backoff_doubles_up_to_its_cap():
    """10 s after the first failure, 5 minutes at most, nothing after none."""
    backoff = Backoff(initial_s=10, cap_s=300)
    assert [backoff.delay(failures) for failures in (0, 1, 2, 6, 7, 10_000)] == [0, 10, 20, 300, 300, 300]


def test_jitter_takes_at_most_half_away():
    """The delay lies between half and all of it."""
    assert Backoff(1, 8).delay(2, jitter=0.999) == pytest.approx(1.0, abs=0.01)


def test_a_time_scale_shortens_waits_and_leaves_dates_alone():
    """Twenty cluster seconds in a wall second; timestamps stay what they are."""
    scale = Timescale(20)
    at_s = scale.parse("2026-05-01T12:00:00Z")
    assert scale.format(at_s) == "2026-05-01T12:00:00Z"
    assert scale.format(at_s + 40) == "2026-05-01T12:00:02Z"
    assert scale.wall(40) == 2


@pytest.mark.parametrize("row", INTERVALS.values(), ids=INTERVALS)
def test_every_profile_keeps_the_order_between_its_intervals(row):
    """A lease outlives several renewals, a grace too; a deposed leader stops before the next one begins."""
    assert row.node_lease_renew_s * 3 < row.node_monitor_grace_s
    assert row.node_lease_renew_s * 4 <= row.node_lease_duration_s
    assert row.leader_lease_s > row.leader_renew_deadline_s > row.leader_retry_s * 1.2


def test_a_condition_keeps_its_transition_time_while_its_status_stays():
    """Only a change of status moves lastTransitionTime."""
    first = set_condition([], PodCondition(type="Ready", status="False"), now_text="t1")
    same = set_condition(first, PodCondition(type="Ready", status="False", reason="Why"), now_text="t2")
    turned = set_condition(same, PodCondition(type="Ready", status="True"), now_text="t3")
    assert [find(each, "Ready").lastTransitionTime for each in (first, same, turned)] == ["t1", "t1", "t3"]


@pytest.mark.parametrize("leaf", BY_REASON.values(), ids=BY_REASON)
def test_an_error_survives_its_status(leaf):
    """to_status and from_status are inverses."""
    error = leaf("what happened", kind="pods", name="web", causes=(Cause("spec.x", "bad"),), retry_after_s=3)
    again = from_status(error.to_status())
    assert type(again) is leaf
    assert again.to_status() == error.to_status()


def test_an_unknown_reason_is_read_by_its_code():
    """A server may be newer than we are."""
    assert isinstance(from_status({"reason": "NewFashioned", "code": 422, "message": "x"}), Invalid)


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        (Toleration(key="gpu", value="yes", effect="NoSchedule"), True),
        (Toleration(key="gpu", operator="Exists"), True),
        (Toleration(operator="Exists"), True),
        (Toleration(key="gpu", value="no"), False),
        (Toleration(key="gpu", operator="Exists", effect="NoExecute"), False),
    ],
)
def test_tolerations_match_by_key_value_and_effect(toleration, tolerated):
    """Each of them is free where it is left out."""
    assert taints.tolerates([toleration], Taint(key="gpu", value="yes", effect="NoSchedule")) is tolerated


def test_requests_count_sidecars_always_and_init_containers_at_their_peak():
    """The largest of what runs at once (KEP-753)."""
    pod = builders.pod(
        containers=[builders.container("main", requests={"cpu": "500m", "memory": "1Mi"})],
        initContainers=[
            builders.container("side", requests={"cpu": "100m"}, restartPolicy="Always"),
            builders.container("setup", requests={"cpu": "900m"}),
        ],
    )
    assert pods.requests(pod).cpu_millicores == 1000
    assert pods.requests(pod).memory_bytes == 2**20


@pytest.mark.parametrize(
    ("requests", "limits", "qos"),
    [
        (None, None, pods.BEST_EFFORT),
        ({"cpu": "1"}, None, pods.BURSTABLE),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}, pods.GUARANTEED),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"}, pods.BURSTABLE),
    ],
)
def test_the_quality_of_service_follows_requests_and_limits(requests, limits, qos):
    """Guaranteed only where both are set and equal."""
    assert pods.qos_class(builders.pod(requests=requests, limits=limits)) == qos


def test_a_controller_is_known_by_uid():
    """A namesake is no owner."""
    owner = builders.pod("owner")
    child = builders.meta("child", ownerReferences=[owners.owner_reference(owner)])
    namesake = builders.changed(owner, metadata__uid="another")
    assert owners.is_controlled_by(child, owner)
    assert not owners.is_controlled_by(child, namesake)
