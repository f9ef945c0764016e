"""Which thresholds are met, who is evicted for them and in which words, and who takes more disk than allowed."""

from __future__ import annotations

from fractions import Fraction

import pytest

from kubelet.core.eviction import words
from kubelet.core.eviction.limits import find_excess, is_limited
from kubelet.core.eviction.pressure import Pressure, conditions, looked, most_urgent
from kubelet.core.eviction.ranking import rank
from kubelet.core.eviction.thresholds import (
    DEFAULT_HARD,
    Amount,
    Observed,
    Signal,
    Threshold,
    met,
    read_thresholds,
)
from kubelet.core.eviction.usage import ContainerDisk, PodDisk, PodUsage, Space
from machinery.model.k8s.core_v1 import EmptyDirVolumeSource, Pod, Volume
from tests.support.builders import changed, container, pod

MI = 2**20
GI = 2**30


def test_thresholds_are_read_as_kubernetes_writes_them():
    """Quantities and percentages; soft ones have a grace period, and each may have a minimum reclaim."""
    assert read_thresholds(
        ["memory.available<100Mi", "nodefs.available<10%"],
        ["memory.available<1.5Gi"],
        ["memory.available=1m30s"],
        ["nodefs.available=500Mi"],
    ) == (
        Threshold(Signal.MEMORY, Amount(100 * MI)),
        Threshold(Signal.NODEFS, Amount(share=Fraction(1, 10)), reclaim=Amount(500 * MI)),
        Threshold(Signal.MEMORY, Amount(3 * GI // 2), grace_s=90.0),
    )


def test_the_defaults_are_those_of_kubernetes():
    """Of memory an amount, of disks a share."""
    found = {each.signal.value: each.least for each in read_thresholds(DEFAULT_HARD)}
    assert found == {
        "memory.available": Amount(100 * MI),
        "nodefs.available": Amount(share=Fraction(10, 100)),
        "nodefs.inodesFree": Amount(share=Fraction(5, 100)),
        "imagefs.available": Amount(share=Fraction(15, 100)),
        "imagefs.inodesFree": Amount(share=Fraction(5, 100)),
    }


@pytest.mark.parametrize("text", ["nodefs.available<0%", "nodefs.available<100%"])
def test_a_share_of_nothing_or_of_all_switches_a_threshold_off(text: str):
    """As kind does it for its nodes."""
    assert read_thresholds([text]) == ()


@pytest.mark.parametrize(
    ("hard", "soft", "grace", "problem"),
    [
        (["memory.available=1Gi"], [], [], "is not <signal><<value>"),
        (["memory.free<1Gi"], [], [], "unsupported eviction signal memory.free"),
        (["memory.available<lots"], [], [], "neither a quantity nor a percentage"),
        (["memory.available<-1Mi"], [], [], "may not be below 0"),
        (["memory.available<1Mi", "memory.available<2Mi"], [], [], "duplicate"),
        ([], ["memory.available<1Mi"], [], "grace period must be specified"),
        ([], ["memory.available<1Mi"], ["memory.available=soon"], "invalid duration"),
        ([], ["memory.available<1Mi"], ["memory.available=-1s"], "may not be below 0"),
    ],
)
def test_what_is_no_threshold_is_refused(hard: list[str], soft: list[str], grace: list[str], problem: str):
    """With the statement, or the signal."""
    with pytest.raises(ValueError, match=problem):
        read_thresholds(hard, soft, grace)


@pytest.mark.parametrize(
    ("threshold", "available", "is_met"),
    [
        ("memory.available<100Mi", 100 * MI, False),
        ("memory.available<100Mi", 100 * MI - 1, True),
        ("memory.available<10%", 102 * MI, True),  # of a GiB
        ("memory.available<10%", 103 * MI, False),
        ("nodefs.available<10%", 0, False),  # nobody looked at it
    ],
)
def test_a_threshold_is_met_by_less_than_it_says(threshold: str, available: int, is_met: bool):
    """Of what nobody can tell none is."""
    observations = {Signal.MEMORY: Observed(available, GI)}
    assert bool(met(read_thresholds([threshold]), observations)) == is_met


HARD, SOFT = read_thresholds(["memory.available<100Mi"], ["memory.available<200Mi"], ["memory.available=60s"])


def look(pressure: Pressure, mebibytes: int, now_s: float) -> Pressure:
    return looked(pressure, (HARD, SOFT), {Signal.MEMORY: Observed(mebibytes * MI, GI)}, now_s)


def test_a_soft_threshold_is_due_after_its_grace_period():
    """It begins anew when there was enough meanwhile; the condition is there at once."""
    first = look(Pressure(), 150, 100.0)
    assert (first.due, first.now) == ((), {"MemoryPressure"})
    assert look(first, 150, 159.9).due == ()
    assert look(first, 150, 160.0).due == (SOFT,)
    again = look(look(first, 250, 130.0), 150, 140.0)
    assert look(again, 150, 170.0).due == ()
    assert look(again, 150, 200.0).due == (SOFT,)


def test_a_hard_threshold_is_due_at_once_and_comes_first():
    """Before a soft one that has waited; memory before disks."""
    long = look(look(Pressure(), 150, 0.0), 50, 60.0)
    assert most_urgent(long) == HARD
    [disk] = read_thresholds(["nodefs.available<10%"])
    both = looked(
        Pressure(), (disk, HARD), {Signal.NODEFS: Observed(0, 1), Signal.MEMORY: Observed(0, GI)}, 1.0
    )
    assert most_urgent(both) == HARD
    assert most_urgent(Pressure()) is None


def test_a_condition_lasts_for_a_while_after_it_was_seen_last():
    """Each for itself; while it is seen it holds, however short the while."""
    pressed = look(Pressure(), 50, 100.0)
    calm = look(pressed, 500, 110.0)
    assert conditions(calm, 300.0, 399.9) == {"MemoryPressure"}
    assert conditions(calm, 300.0, 400.0) == set()
    assert conditions(pressed, 0.0, 100.0) == {"MemoryPressure"}


def test_a_threshold_stays_due_until_its_minimum_reclaim_is_there():
    """Without one it is resolved as soon as it is not met any more."""
    [more] = read_thresholds(["memory.available<100Mi"], reclaim=["memory.available=50Mi"])

    def at(pressure: Pressure, mebibytes: int) -> Pressure:
        return looked(pressure, (more,), {Signal.MEMORY: Observed(mebibytes * MI, GI)}, 1.0)

    assert at(Pressure(), 120).due == ()
    assert at(at(Pressure(), 90), 149).due == (more,)
    assert at(at(at(Pressure(), 90), 149), 150).due == ()


def using(name: str, mebibytes: int, asked: str = "", priority: int = 0) -> tuple[Pod, PodUsage]:
    requests = {"memory": asked, "ephemeral-storage": asked} if asked else {}
    built = pod(name, containers=[container(requests=requests)], priority=priority)
    used = mebibytes * MI
    disk = PodDisk(containers={"main": ContainerDisk(layer=Space(used, mebibytes))})
    return built, PodUsage(used, mebibytes, {"main": used}, disk)


@pytest.mark.parametrize(
    ("signal", "order"),
    [
        # those that use more than they asked for: by priority, then by how much more; then those that do not
        (Signal.MEMORY, "unknown best over bold high within modest"),
        (Signal.NODEFS, "unknown best over bold high within modest"),
        (Signal.IMAGEFS, "unknown best over bold high within modest"),
        # requests protect nobody: by priority, then by how many
        (Signal.NODEFS_INODES, "unknown modest best over within bold high"),
        (Signal.PIDS, "unknown modest best over within bold high"),
    ],
)
def test_the_order_of_eviction(signal: Signal, order: str):
    """Critical pods are not in it."""
    rows = [
        using("modest", 400, "1Gi"),
        using("within", 99, "100Mi"),
        using("over", 110, "50Mi"),
        using("best", 120),
        using("bold", 80, "10Mi", priority=5),
        using("high", 70, priority=1000),
        using("critical", 900, priority=2_000_000_000),
        using("unknown", 0),
    ]
    pods = [built for built, _ in rows]
    usages = {built.metadata.uid: usage for built, usage in rows if built.metadata.name != "unknown"}
    assert len({each.metadata.uid for each in pods}) == len(pods)
    assert [each.metadata.name for each in rank(signal, pods, usages)] == order.split()


def limited(**limits: str) -> Pod:
    """Build a pod of containers a, b… with these limits for ephemeral storage."""
    return pod(
        containers=[
            container(name, limits={"ephemeral-storage": text} if text else None)
            for name, text in limits.items()
        ]
    )


def with_volume(built: Pod, size: str, medium: str = "") -> Pod:
    volume = Volume(name="cache", emptyDir=EmptyDirVolumeSource(sizeLimit=size, medium=medium))
    return changed(built, spec__volumes=[volume])


def taking(volume: int = 0, **layers: int) -> PodDisk:
    containers = {name: ContainerDisk(Space(used - 1, 1), Space(1, 1)) for name, used in layers.items()}
    return PodDisk(containers, {"cache": Space(volume, 1)})


@pytest.mark.parametrize(
    ("built", "disk", "message"),
    [
        (with_volume(limited(a=""), "1Mi"), taking(MI), None),
        (
            with_volume(limited(a=""), "1024Ki"),
            taking(MI + 1),
            'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ',
        ),
        (with_volume(limited(a=""), "0"), taking(MI), None),
        (limited(a="2Mi", b=""), taking(0, a=MI, b=MI), None),
        (
            limited(a="2Mi", b=""),
            taking(1, a=MI, b=MI),
            "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ",
        ),
        (
            limited(a="1Mi", b="3Mi"),
            taking(0, a=MI + 1, b=MI),
            'Container a exceeded its local ephemeral storage limit "1Mi". ',
        ),
        (limited(a="1Mi", b="3Mi"), taking(2 * MI, a=MI, b=MI), None),
        (
            with_volume(limited(a="1Mi"), "1Mi"),
            taking(MI + 1, a=MI + 1),
            'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ',
        ),
    ],
)
def test_a_pod_may_take_as_much_as_its_limits_say_and_no_more(built: Pod, disk: PodDisk, message: str | None):
    """Its volumes one by one, all of it by the sum of its containers' limits, and its containers one by one."""
    excess = find_excess(built, disk)
    assert (excess.message if excess else None) == message


def test_only_pods_with_a_limit_are_measured():
    """A volume in memory has the size of its tmpfs."""
    plain = limited(a="")
    assert not is_limited(plain)
    assert not is_limited(with_volume(plain, ""))
    assert not is_limited(with_volume(plain, "1Mi", "Memory"))
    assert is_limited(with_volume(plain, "1Mi"))
    assert is_limited(limited(a="", b="1Mi"))


def test_the_message_of_a_pressure_names_who_uses_more_than_it_asked_for():
    """In Kubernetes' words, with the threshold and what is there."""
    built, usage = using("p", 80, "50Mi")
    observations = {Signal.MEMORY: Observed(90 * MI, GI), Signal.PIDS: Observed(1, 100)}
    assert words.pressure(HARD, observations, built, usage) == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. "
        "Container main was using 80Mi, request is 50Mi, has larger consumption of memory. "
    )
    modest, usage = using("p", 40, "50Mi")
    assert words.pressure(HARD, observations, modest, usage).endswith("available: 90Mi. ")
    [pids] = read_thresholds(["pid.available<10%"])
    assert words.pressure(pids, observations, built, usage) == (
        "The node was low on resource: pids. Threshold quantity: 10, available: 1. "
    )
    [disk] = read_thresholds(["nodefs.available<10%"])
    best, usage = using("p", 3)
    assert words.pressure(disk, {}, best, usage) == (
        "The node was low on resource: ephemeral-storage. "
        "Container main was using 3Mi, request is 0, has larger consumption of ephemeral-storage. "
    )
