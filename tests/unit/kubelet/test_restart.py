import pytest

from kubelet.core.restart import CrashBackoff, back_off_message, backoff_left, next_backoff, should_restart
from machinery.model.k8s.core_v1 import ContainerRestartRule, ContainerRestartRuleOnExitCodes
from tests.support.builders import container, pod


def rule(operator: str, *codes: int) -> ContainerRestartRule:
    return ContainerRestartRule(
        action="Restart", exitCodes=ContainerRestartRuleOnExitCodes(operator=operator, values=list(codes))
    )


@pytest.mark.parametrize(
    ("policy", "own", "code", "is_init", "again"),
    [
        ("Always", "", 0, False, True),
        ("Always", "", 1, False, True),
        ("OnFailure", "", 0, False, False),
        ("OnFailure", "", 1, False, True),
        ("Never", "", 1, False, False),
        ("Always", "", 0, True, False),
        ("Always", "", 1, True, True),
        ("Never", "", 1, True, False),
        ("Never", "Always", 0, True, True),
        ("Never", "Always", 0, False, True),
        ("Always", "Never", 1, False, False),
        ("Always", "OnFailure", 0, False, False),
    ],
)
def test_the_policy_decides(policy, own, code, is_init, again):
    """The container's own policy comes before the pod's; an init container that succeeded is done."""
    spec = container(restartPolicy=own)
    assert should_restart(pod(restartPolicy=policy), spec, code, is_init=is_init) is again


@pytest.mark.parametrize(
    ("rules", "code", "again"),
    [
        ([rule("In", 42)], 42, True),
        ([rule("In", 42)], 1, False),
        ([rule("NotIn", 42)], 1, True),
        ([rule("NotIn", 42)], 42, False),
    ],
)
def test_rules_for_exit_codes_come_first(rules, code, again):
    """A matching rule restarts a container whose policy would not."""
    spec = container(restartPolicy="Never", restartPolicyRules=rules)
    assert should_restart(pod(restartPolicy="Never"), spec, code) is again


def test_the_backoff_doubles_from_10_to_300_seconds():
    """The first restart is free, each further one waits twice as long, at most five minutes."""
    backoff, delays, now_s = None, [], 1000.0
    for _ in range(8):
        delays.append(backoff_left(backoff, now_s, now_s))
        backoff = next_backoff(backoff, now_s, now_s)
        now_s += 1
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize(("ran_s", "delay_s"), [(600, 160.0), (601, 0.0)])
def test_a_long_run_is_forgiven(ran_s, delay_s):
    """A container that ran for more than ten minutes starts over."""
    backoff = CrashBackoff(160, updated_s=0)
    assert backoff_left(backoff, ran_s, ran_s) == delay_s
    expected = 10.0 if ran_s > 600 else 300.0
    assert next_backoff(backoff, ran_s, ran_s).delay_s == expected


def test_the_wait_counts_from_the_end_of_the_run():
    """Half the delay after the end, half of it is left; after it, nothing."""
    backoff = CrashBackoff(20, updated_s=0)
    assert backoff_left(backoff, 100, 110) == 10
    assert backoff_left(backoff, 100, 121) == 0


@pytest.mark.parametrize(("delay_s", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s")])
def test_the_message_is_the_one_that_users_know(delay_s, text):
    """The duration is written as Go writes it; the pod as name_namespace(uid)."""
    expected = f"back-off {text} restarting failed container=main pod=web_default(uid-default-web)"
    assert back_off_message(pod(), "main", delay_s) == expected
