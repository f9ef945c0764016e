"""Whatever happens to a pod, in whatever order: what always holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from kubelet.core.life import Stage
from tests.support.builders import container, pod
from tests.support.examples import examples
from tests.support.pod_life import PodRun

POLICIES = st.sampled_from(["Always", "OnFailure", "Never"])
INITS = st.sampled_from([(), ("init",), ("side",), ("init", "side"), ("side", "init", "other")])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "finish",
                "finish",
                "finish",
                "fail",
                "lose",
                "exit",
                "exit",
                "crash",
                "crash",
                "sandbox",
                "time",
                "sync",
                "restart",
                "delete",
                "evict",
                "vanish",
            ]
        ),
        st.integers(0, 7),
    ),
    min_size=2,
    max_size=40,
)
RUNS_AGAIN: dict[str, Callable[[int], bool]] = {
    "Always": lambda _code: True,
    "OnFailure": lambda code: code != 0,
    "Never": lambda _code: False,
}
_NAMES = ("main", "more", "init", "side", "other")


def make(policy: str, inits: tuple[str, ...]) -> PodRun:
    spec = [container(name, restartPolicy="Always" if name == "side" else "") for name in inits]
    return PodRun(
        pod(
            containers=[container("main"), container("more")],
            initContainers=spec,
            restartPolicy=policy,
            meta_fields={"generation": 1},
        ),
        check=holds,
    )


def holds(it: PodRun) -> None:
    """Check what must hold after every single step."""
    counts = Counter(it.running())
    assert all(count == 1 for count in counts.values()), f"two of one name run: {counts}"
    if it.life.stage is not Stage.SYNCING:
        starts = [key for key in it.pending if key.startswith("start/") and key not in it.cancelled]
        assert not starts, "something is started in a pod that is on its way out"
    if it.deleted:
        assert not it.running(), "the object went before its containers"
        assert it.clean, "the object went before its volumes"
    for key in it.pending:
        if key in {"start/main", "start/more"}:
            assert _is_initialized(it), "a main container is started before its init containers are done"
    phases = [status.phase for status in it.statuses]
    terminal = next(
        (index for index, phase in enumerate(phases) if phase in {"Succeeded", "Failed"}), len(phases)
    )
    assert len(set(phases[terminal:])) <= 1, f"a terminal phase was left: {phases}"
    mains = {name for name in it.running() if name in {"main", "more"}}
    init_runs = {name for name in it.running() if name in {"init", "other"}}
    assert not (mains and init_runs), "main containers run beside an init container"


def _is_initialized(it: PodRun) -> bool:
    place = max(it.sandboxes.values(), key=lambda each: each.attempt).id
    here = [each for each in it.life.observed.containers if each.sandbox_id == place]
    if any(each.name in {"main", "more"} for each in here):
        return True  # initialization was done before
    done = {each.name for each in here if not each.is_running and each.exit_code == 0}
    return all(each.name in done for each in it.pod.spec.initContainers if not each.restartPolicy)


def run_up(it: PodRun) -> None:
    """Run on with everything working, init containers too, until nothing is left to do."""
    for _ in range(4):
        it.settle()
        for name in ("init", "other"):
            if name in it.running():
                it.exit(name)


def step(it: PodRun, what: str, number: int) -> None:  # noqa: C901 - one arm for each step
    keys = list(it.pending)
    key = keys[number % len(keys)] if keys else ""
    match what:
        case "finish" if key:
            it.finish(key)
        case "fail" if key:
            it.finish(key, fail=True)
        case "lose" if key and key in it.cancelled:
            it.finish(key, effect=False)
        case "exit":
            it.exit(_NAMES[number % len(_NAMES)])
        case "crash":
            it.exit(_NAMES[number % len(_NAMES)], code=1)
        case "sandbox":
            it.kill_sandbox()
        case "time":
            it.pass_time(10.0 ** (number % 4))
        case "sync":
            it.sync()
        case "restart":
            it.start()
        case "delete" if it.in_api:
            it.delete(number)
        case "evict":
            it.evict(number, is_disruption=number % 2 == 0)
        case "vanish" if it.in_api and number == 7:
            it.vanish()


@examples(150)
@given(POLICIES, INITS, STEPS)
def test_invariants_hold_and_a_deleted_pod_leaves_nothing(policy, inits, steps):
    """No sequence breaks a rule, and a deletion always ends with nothing left, in the runtime and in the API."""
    it = make(policy, inits)
    for what, number in steps:
        step(it, what, number)
    if it.in_api:
        it.delete()
    it.settle()
    assert it.life.stage is Stage.FINISHED
    assert not it.containers
    assert not it.sandboxes
    assert not it.in_api


@examples(150)
@given(POLICIES, INITS, st.booleans(), STEPS)
def test_a_pod_that_may_run_runs_in_the_end(policy, inits, is_up, steps):
    """Once everything works again, what has not ended for good runs, and nothing else; else the phase is final.

    What has ended for good is told by the ends that the runtime saw and the restart policy, not by what runs.
    """
    it = make(policy, inits)
    if is_up:  # most of what can go wrong goes wrong in a pod that runs
        run_up(it)
    has_lost_its_sandbox = False  # with a container in it: a pod that never restarts ends with it
    for what, number in steps:
        if what not in {"delete", "evict", "vanish"}:
            has_lost_its_sandbox |= what == "sandbox" and bool(it.containers)
            step(it, what, number)
    run_up(it)
    over = {name for name in ("main", "more") if name in it.ends and not RUNS_AGAIN[policy](it.ends[name])}
    is_uninitialized = policy == "Never" and bool(it.ends.get("init") or it.ends.get("other"))
    if policy == "Never" and has_lost_its_sandbox and it.life.stage is not Stage.SYNCING:
        is_well = over == {"main", "more"} and not any(it.ends.values())
        assert it.pod.status.phase == ("Succeeded" if is_well else "Failed")
        assert not it.running()
    elif is_uninitialized or over == {"main", "more"}:
        is_well = not is_uninitialized and not any(it.ends[name] for name in over)
        assert it.pod.status.phase == ("Succeeded" if is_well else "Failed")
        assert not it.running()
    else:
        assert it.life.stage is Stage.SYNCING
        assert set(it.running()) == ({"main", "more"} - over) | ({"side"} & {*inits})
