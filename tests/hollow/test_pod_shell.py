"""The pod workers over a real hollow runtime (CRI on a unix socket) and a registry in memory, 20 times as fast."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from hollow.core.lifetime import State
from hollow.runtime_service import RuntimeService
from hollow.simulation import POD_UID
from kubelet.core import pictures
from kubelet.core.node_status import Features
from kubelet.runtime import Runtime
from kubelet.runtime_handlers import HandlerProblem, RuntimeHandlers
from machinery.model.k8s import served
from machinery.model.k8s.core_v1 import (
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EnvVar,
    EnvVarSource,
    ExecAction,
    FileKeySelector,
    Lifecycle,
    LifecycleHandler,
    LocalObjectReference,
    ObjectFieldSelector,
    Pod,
    Secret,
    SleepAction,
    Volume,
)
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.k8s.node_v1 import RuntimeClass
from machinery.model.requests import Selection
from machinery.model.resources import PODS, SECRETS, resource_of
from tests.support.builders import container, meta, pod
from tests.support.kubelet import Rig, machine, rig, running_kubelet
from tests.support.waiting import stays


def is_ready(found: Pod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in found.status.conditions)


def behaving(name: str = "web", /, containers: Any = None, **annotations: str) -> Pod:
    """Return a pod whose simulated containers behave so: main__exit_after="1s"."""
    texts = {
        f"hollow.kubarium.dev/{key.replace('__', '.', 1).replace('_', '-')}": value
        for key, value in annotations.items()
        if "__" in key
    }
    spec = {key: value for key, value in annotations.items() if "__" not in key}
    return pod(name, containers=containers, meta_fields={"annotations": texts}, **spec)


def state_of(found: Pod, index: int = 0) -> Any:
    statuses = found.status.containerStatuses
    return statuses[index].state if len(statuses) > index else None


@pytest.fixture
async def node(tmp_path: Path) -> Any:
    async with rig(tmp_path) as made:
        yield made


async def test_a_pod_becomes_ready(node: Rig):
    """A new pod gets a sandbox, an address and a running container, and says so in the API."""
    await node.create(pod("web"))
    found = await node.until("web", is_ready)
    assert found.status.phase == "Running"
    assert found.status.podIP.startswith("10.77.0.")
    assert found.status.containerStatuses[0].containerID.startswith("hollow://")
    await node.until_told("web", "Created", "Started")


async def test_a_kubelet_counts_what_it_runs(node: Rig):
    """By the names of Kubernetes' kubelet, whenever it is asked."""
    await node.create(pod("web"))
    await node.until("web", is_ready)
    told = node.process.metrics.render()
    assert 'kubelet_node_name{node="node-1"} 1\n' in told
    assert "kubelet_running_pods 1\n" in told
    assert 'kubelet_running_containers{container_state="running"} 1\n' in told
    assert "kubelet_certificate_manager_client_ttl_seconds" not in told  # it comes without one


async def test_a_pod_with_init_containers_becomes_ready_by_itself(node: Rig):
    """Nothing runs in a simulated container: an init container has done its work at once, a sidecar stays."""
    inits = [container("first"), container("side", restartPolicy="Always"), container("second")]
    await node.create(pod("web", initContainers=inits))
    found = await node.until("web", is_ready)
    ends = [each.state.terminated for each in found.status.initContainerStatuses]
    assert [end and end.exitCode for end in ends] == [0, None, 0]


async def test_a_deleted_pod_is_stopped_then_its_object_goes_then_all_traces(node: Rig):
    """The object is deleted when nothing runs any more; containers and sandbox are removed after it."""
    await node.create(pod("web"))
    await node.until("web", is_ready)
    await node.delete("web")
    calls = node.kubelets_api.calls
    await node.until_true(lambda: ("delete", "pods", "web") in calls)
    assert state_of(await node.pod("web")).terminated.reason == "Completed"
    assert all(each.state(node.world.clock.now()) is State.EXITED for each in node.containers())
    assert [each for each in calls if each[2] == "web"][-1] == ("delete", "pods", "web")
    await node.remove("web")
    await node.until_true(lambda: not node.world.containers and not node.world.sandboxes)


async def test_a_deaf_container_is_killed_at_its_grace_period(node: Rig):
    """A container that ignores SIGTERM runs for the grace period, no shorter, and is killed then."""
    own: Any = {"terminationGracePeriodSeconds": 600}
    await node.create(behaving("web", main__ignore_term="true", **own))
    await node.until("web", is_ready)
    await node.delete("web", grace_s=10)
    found = await node.until("web", lambda p: state_of(p) and state_of(p).terminated)
    life = node.containers()[0].record
    assert state_of(found).terminated.exitCode == 137
    assert 9 <= life.kill_s - life.term_s < 300  # the request to stop it is on its way for a while


async def test_a_shorter_grace_period_takes_effect_on_the_way(node: Rig):
    """A second deletion with less grace ends the wait of the first."""
    await node.create(behaving("web", main__ignore_term="true"))
    await node.until("web", is_ready)
    await node.delete("web", grace_s=600)
    await node.until_true(lambda: node.containers()[0].record.term_s)
    await node.delete("web", grace_s=1)
    await node.until("web", lambda p: state_of(p) and state_of(p).terminated)


async def test_pre_stop_comes_before_the_stop_signal(node: Rig):
    """SIGTERM is sent when preStop is over, not before."""
    hook = Lifecycle(preStop=LifecycleHandler(sleep=SleepAction(seconds=8)))
    await node.create(pod("web", containers=[container(lifecycle=hook)]))
    await node.until("web", is_ready)
    begun_s = node.world.clock.now()
    await node.delete("web")
    await node.until_true(lambda: node.containers()[0].record.term_s)
    assert node.containers()[0].record.term_s - begun_s >= 8


async def test_a_rule_restarts_one_container_of_a_pod_that_never_restarts(node: Rig):
    """By its exit code; the other container's end is an end, and the pod goes on."""
    rule = ContainerRestartRule(
        action="Restart", exitCodes=ContainerRestartRuleOnExitCodes(operator="In", values=[42])
    )
    ruled = container("again", restartPolicy="Never", restartPolicyRules=[rule])
    ends = {
        "again__exit_after": "1s",
        "again__exit_code": "42",
        "main__exit_after": "1s",
        "main__exit_code": "42",
    }
    await node.create(behaving("web", [ruled, container()], restartPolicy="Never", **ends))
    found = await node.until(
        "web", lambda p: p.status.containerStatuses and p.status.containerStatuses[0].restartCount
    )
    again, main = found.status.containerStatuses
    assert (again.name, again.lastState.terminated.exitCode, found.status.phase) == ("again", 42, "Running")
    assert (main.restartCount, main.state.terminated.exitCode) == (0, 42)


async def test_a_container_waits_for_the_file_that_its_variables_are_in(node: Rig):
    """Whoever else writes it into the pod's folder: an init container, as a rule."""
    source = FileKeySelector(volumeName="config", path="app.env", key="DB_ADDRESS")
    box = container(env=[EnvVar(name="DB", valueFrom=EnvVarSource(fileKeyRef=source))])
    made = await node.create(
        pod("web", containers=[box], volumes=[Volume(name="config", emptyDir=EmptyDirVolumeSource())])
    )
    found = await node.until(
        "web", lambda p: state_of(p) and state_of(p).waiting and state_of(p).waiting.message
    )
    assert state_of(found).waiting.reason == "CreateContainerConfigError"
    assert state_of(found).waiting.message == "couldn't find key DB_ADDRESS in file app.env of volume config"
    folder = node.folder / "kubelet/pods" / made.metadata.uid / "volumes/kubernetes.io~empty-dir/config"
    (folder / "app.env").write_text("# written by another\nDB_ADDRESS='db.example'\n")
    await node.until("web", is_ready)
    (run,) = node.containers()
    assert ("DB", "db.example") in [(each.key, each.value) for each in run.config.envs]


async def test_a_crashing_container_is_restarted_then_waits(node: Rig):
    """The first restart is at once; then CrashLoopBackOff, with the end of the last run as lastState."""
    await node.create(behaving("web", main__exit_after="1s", main__exit_code="3"))
    found = await node.until(
        "web", lambda p: state_of(p) and state_of(p).waiting and p.status.containerStatuses[0].restartCount
    )
    status = found.status.containerStatuses[0]
    assert status.state.waiting.reason == "CrashLoopBackOff"
    assert status.state.waiting.message.startswith(
        "back-off 10s restarting failed container=main pod=web_default("
    )
    assert (status.restartCount, status.lastState.terminated.exitCode) == (1, 3)
    assert found.status.phase == "Running"
    await node.until("web", lambda p: p.status.containerStatuses[0].restartCount == 2)
    await node.until_told("web", "BackOff")
    await node.until_true(lambda: len(node.containers()) <= 2)


async def test_a_job_like_pod_succeeds_and_stays(node: Rig):
    """RestartPolicy Never: exit 0 is Succeeded, the sandbox is stopped, the container stays for its logs."""
    await node.create(behaving("job", main__exit_after="1s", restartPolicy="Never"))
    await node.until("job", lambda p: p.status.phase == "Succeeded")
    await node.until_true(lambda: not any(each.is_ready for each in node.world.sandboxes.values()))
    assert len(node.containers()) == 1
    assert not is_ready(await node.pod("job"))


@pytest.mark.parametrize("policy", ["OnFailure", "Never"])
async def test_a_new_image_is_run_by_a_pod_that_restarts_for_nothing(node: Rig, policy: str):
    """Whose API takes back no container of which it was told that it has ended."""
    await node.create(pod("job", restartPolicy=policy))
    await node.until("job", is_ready)
    await node.api.patch(
        PODS, "job", {"spec": {"containers": [{"name": "main", "image": "new:1"}]}}, namespace="default"
    )
    found = await node.until("job", lambda p: p.status.containerStatuses[0].restartCount == 1 and is_ready(p))
    assert found.status.containerStatuses[0].image == "new:1"
    assert found.status.containerStatuses[0].lastState.terminated


async def test_init_containers_come_one_after_the_other(node: Rig):
    """The second init container starts after the first has ended, the main one after both."""
    inits = [container("first"), container("second")]
    await node.create(behaving("web", initContainers=inits, first__exit_after="2s", second__exit_after="2s"))
    found = await node.until("web", is_ready)
    first, second, main = (node.containers(name)[0] for name in ("first", "second", "main"))
    assert second.record.started_s >= first.end.at_s
    assert main.record.started_s >= second.end.at_s
    assert [each.state.terminated.reason for each in found.status.initContainerStatuses] == ["Completed"] * 2


async def test_sidecars_start_first_and_stop_last_backwards(node: Rig):
    """Sidecars run before the main container; when it has been stopped they are stopped in reverse order."""
    sidecars = [container(name, restartPolicy="Always") for name in ("a", "b")]
    await node.create(behaving("web", initContainers=sidecars, main__term_after="2s", b__term_after="2s"))
    await node.until("web", is_ready)
    await node.delete("web")
    await node.until_true(lambda: ("delete", "pods", "web") in node.kubelets_api.calls)
    main, a, b = (node.containers(name)[0] for name in ("main", "a", "b"))
    assert b.record.term_s >= main.end.at_s
    assert a.record.term_s >= b.end.at_s


async def test_a_finished_main_container_takes_its_sidecars_along(node: Rig):
    """A pod whose main containers have ended for good succeeds although its sidecar was running."""
    sidecar = container("proxy", restartPolicy="Always")
    await node.create(behaving("job", initContainers=[sidecar], restartPolicy="Never", main__exit_after="1s"))
    found = await node.until("job", lambda p: p.status.phase == "Succeeded")
    assert found.status.initContainerStatuses[0].state.terminated is not None


async def test_a_command_that_does_not_start_is_an_error_of_the_container(node: Rig):
    """A failed start shows in the status and in an event, and is tried again."""
    await node.create(behaving("web", main__start_error="no such command"))
    await node.until(
        "web", lambda p: p.status.containerStatuses and p.status.containerStatuses[0].restartCount
    )
    await node.until_told("web", "Failed")
    found = [message for reason, message in await node.events("web") if reason == "Failed"]
    assert "no such command" in found[0]


async def test_a_pod_that_does_not_fit_is_refused(node: Rig):
    """Too big for the node: Failed with OutOfcpu, and nothing is started."""
    await node.create(pod("big", requests={"cpu": "64"}))
    found = await node.until("big", lambda p: p.status.phase == "Failed")
    assert found.status.reason == "OutOfcpu"
    assert "requested: 64000" in found.status.message
    assert not node.world.sandboxes


async def test_who_has_the_place_of_a_pod_that_is_gone_from_the_api_is_taken(node: Rig):
    """Though its containers are still being killed: a scheduler has given the place away as soon as it was gone."""
    await node.create(pod("old", requests={"cpu": "2"}))
    await node.until("old", is_ready)
    await node.remove("old")
    await node.create(pod("new", requests={"cpu": "2"}))
    assert (await node.until("new", lambda p: p.status.phase != "Pending")).status.phase == "Running"
    await node.until_true(lambda: len(node.world.sandboxes) == 1)


async def test_the_active_deadline_ends_a_pod(node: Rig):
    """ActiveDeadlineSeconds: the containers are stopped, the phase is Failed with DeadlineExceeded."""
    await node.create(pod("slow"))
    await node.until("slow", is_ready)
    await node.give_deadline("slow", 10)
    found = await node.until("slow", lambda p: p.status.phase == "Failed", limit_s=60)
    assert found.status.reason == "DeadlineExceeded"
    assert state_of(found).terminated is not None


async def test_a_dead_sandbox_is_replaced(node: Rig):
    """A sandbox that has died is made anew, and its containers with it."""
    await node.create(pod("web"))
    await node.until("web", is_ready)
    sandbox = next(iter(node.world.sandboxes.values()))
    node.world.stop_sandbox(sandbox)
    found = await node.until("web", lambda p: is_ready(p) and p.status.containerStatuses[0].restartCount == 1)
    assert found.status.phase == "Running"
    await node.until_told("web", "SandboxChanged")


async def test_a_deletion_during_the_start_leaves_nothing(node: Rig):
    """A pod that is deleted while it is being started is cleaned up like any other."""
    await node.create(pod("web"))
    await node.until_true(lambda: node.world.sandboxes)
    await node.delete("web", grace_s=1)
    await node.until_true(lambda: ("delete", "pods", "web") in node.kubelets_api.calls)
    await node.remove("web")
    await node.until_true(lambda: not node.world.sandboxes and not node.world.containers)


async def test_the_status_survives_a_lost_answer(node: Rig):
    """A status whose write ends with an unknown outcome is read again and written if need be."""
    failed: list[str] = []

    async def lose(verb: str, resource: str, name: str) -> None:
        if verb == "patch" and resource == "pods" and len(failed) < 2:
            failed.append(name)
            from machinery.model.errors import Unavailable

            raise Unavailable("lost")

    node.kubelets_api.before_reply = lose
    await node.create(pod("web"))
    await node.until("web", is_ready)
    assert failed  # how many there are depends on which statuses were written as one


async def test_a_post_start_hook_is_given_up_when_its_pod_is_deleted(node: Rig):
    """The container counts as waiting while its hook runs; a deletion does not wait for the hook."""
    hook = Lifecycle(postStart=LifecycleHandler(sleep=SleepAction(seconds=10_000)))
    box = container(lifecycle=hook)
    await node.create(pod("web", containers=[box], terminationGracePeriodSeconds=20_000))
    await node.until_true(lambda: node.containers() and node.containers()[0].record.started_s)
    await node.until("web", state_of)  # a status is held for a moment

    async def is_waiting() -> bool:
        return bool(state_of(await node.pod("web")).waiting.reason == "ContainerCreating")

    await stays(is_waiting, for_s=0.2)
    await node.delete("web")
    await node.until("web", lambda p: state_of(p) and state_of(p).terminated)


async def test_a_post_start_hook_that_fails_kills_the_container(node: Rig):
    """The hollow runtime runs no commands: FailedPostStartHook, and the container is restarted."""
    hook = Lifecycle(postStart=LifecycleHandler(exec=ExecAction(command=["true"])))
    await node.create(pod("web", containers=[container(lifecycle=hook)]))
    await node.until("web", lambda p: p.status.containerStatuses[0].restartCount if state_of(p) else False)
    await node.until_told("web", "FailedPostStartHook")
    assert ("FailedPostStartHook", "PostStartHook failed") in await node.events("web")


async def test_a_volume_follows_its_pods_labels_at_once(tmp_path: Path):
    """Long before the next round of housekeeping, which is a minute away."""
    labels = DownwardAPIVolumeFile(path="labels", fieldRef=ObjectFieldSelector(fieldPath="metadata.labels"))
    volumes = [Volume(name="shown", downwardAPI=DownwardAPIVolumeSource(items=[labels]))]
    async with rig(tmp_path, time_scale=1.0) as made:
        uid = (await made.create(pod("web", volumes=volumes))).metadata.uid
        await made.until("web", is_ready)
        patch = {"metadata": {"labels": {"tier": "front"}}}
        await made.api.patch(PODS, "web", patch, namespace="default")
        folder = tmp_path / "kubelet" / "pods" / uid / "volumes" / "kubernetes.io~downward-api" / "shown"
        await made.until_true(lambda: 'tier="front"' in (folder / "labels").read_text())


async def test_a_runtime_that_is_started_again_keeps_its_containers(tmp_path: Path):
    """While it is away nothing is taken for dead; afterwards everything goes on, restarts not."""
    async with machine(tmp_path) as made, running_kubelet(made) as kubelet:
        await made.create(pod("web"))
        before = await made.until("web", is_ready)
        await made.runtime.stop()
        await made.until_true(lambda: not kubelet.relist.is_answering)
        await made.create(pod("new"))

        async def is_as_before() -> bool:
            return (await made.pod("web")).status.containerStatuses == before.status.containerStatuses

        await stays(is_as_before, for_s=0.3)
        await made.runtime.start()
        await made.until("new", is_ready)
        assert (await made.pod("web")).status.containerStatuses == before.status.containerStatuses
        await made.delete("web")
        await made.until("web", lambda p: state_of(p).terminated)


async def test_a_runtime_without_events_is_looked_at_instead(tmp_path: Path):
    """An end is seen all the same, at the next look."""
    async with machine(tmp_path, tells_events=False) as made, running_kubelet(made):
        await made.create(behaving("job", main__exit_after="1s", restartPolicy="Never"))
        await made.until("job", lambda p: p.status.phase == "Succeeded")


async def test_a_list_from_an_old_cache_stops_nobody(tmp_path: Path):
    """A pod that the first list lacks is asked for by name before it is taken for gone."""
    async with machine(tmp_path) as made:
        world = made.world
        async with running_kubelet(made):
            await made.create(pod("web"))
            await made.until("web", is_ready)
        blind = Selection(field_selector="spec.nodeName=nobody")
        async with running_kubelet(made) as kubelet:
            kubelet.source._informer._reflector.selection = blind
            await made.until_true(lambda: kubelet.workers._group)
            assert world.containers
            await stays(
                lambda: all(
                    each.state(world.clock.now()) is State.RUNNING for each in world.containers.values()
                ),
                for_s=0.3,
            )


async def test_a_kubelet_that_starts_again_finds_its_pods(tmp_path: Path):
    """Containers keep ids and start times; statuses go on; what left the API meanwhile is stopped."""
    async with machine(tmp_path) as made:
        world = made.world
        async with running_kubelet(made):
            await made.create(pod("stays"))
            await made.create(pod("goes"))
            before = await made.until("stays", is_ready)
            await made.until("goes", is_ready)
        assert (
            len(
                [each for each in world.containers.values() if each.state(world.clock.now()) is State.RUNNING]
            )
            == 2
        )
        await made.remove("goes")
        async with running_kubelet(made):
            await made.until_true(lambda: len(world.containers) == 1)
            calls = made.kubelets_api.calls
            await stays(
                lambda: not [call for call in calls if call[0] == "patch" and call[2] == "stays"], for_s=0.2
            )
            after = await made.pod("stays")
    assert after.status == before.status


async def test_a_kubelet_that_cannot_reach_the_api_touches_nothing(tmp_path: Path):
    """Without a first list of pods nobody is stopped, however long it takes."""
    from machinery.model.errors import Unavailable

    async with machine(tmp_path) as made:
        world = made.world
        async with running_kubelet(made):
            await made.create(pod("web"))
            await made.until("web", is_ready)
        async with running_kubelet(made) as kubelet:

            async def refuse(verb: str, resource: str, _name: str) -> None:
                if resource == "pods":
                    raise Unavailable("cut off")

            kubelet.source._informer._reflector.api.before_call = refuse
            (container,) = world.containers.values()
            await stays(
                lambda: container.state(world.clock.now()) is State.RUNNING, for_s=1.0
            )  # 20 cluster seconds


async def test_a_private_image_is_not_for_the_next_pod_because_another_has_pulled_it(node: Rig):
    """It needs a secret of its own, and says so as any pod whose image cannot be pulled."""
    auths = {"hollow.private": {"username": "u", "password": "p"}}
    data = {".dockerconfigjson": b64encode(json.dumps({"auths": auths}).encode()).decode()}
    secret = Secret(metadata=meta("pull", "default"), type="kubernetes.io/dockerconfigjson", data=data)
    await node.server.given(SECRETS, secret)
    box = container(image="hollow.private/app:1", imagePullPolicy="IfNotPresent")
    with_secret = {"containers": [box], "imagePullSecrets": [LocalObjectReference(name="pull")]}
    await node.create(pod("first", **with_secret))
    await node.until("first", is_ready)
    await node.create(pod("without", containers=[box]))
    found = await node.until(
        "without", lambda p: state_of(p) and state_of(p).waiting.reason.startswith("ErrImage")
    )
    assert "no credentials for hollow.private" in state_of(found).waiting.message
    await node.create(pod("second", **with_secret))
    await node.until("second", is_ready)
    await node.until_told("second", "Pulled")
    told = f'Container image "{box.image}" already present on machine and can be accessed by the pod'
    assert ("Pulled", told) in await node.events("second")


async def test_the_runtime_is_not_asked_what_it_has_just_said(node: Rig, monkeypatch: pytest.MonkeyPatch):
    """A pod starts and ends without a list of what the runtime has of it: each step looks at its own thing."""
    lists: list[str] = []

    def counted(service: RuntimeService, chosen: Any) -> Any:
        lists.append(chosen.label_selector.get(POD_UID, ""))
        return original(service, chosen)

    monkeypatch.setattr(pictures, "LINGER_S", 5.0)  # a slow machine is given time to look itself
    original = RuntimeService._containers_for
    monkeypatch.setattr(RuntimeService, "_containers_for", counted)
    created = await node.create(pod("web"))
    await node.until("web", is_ready)
    await node.remove("web")
    await node.until_true(lambda: not node.world.sandboxes and not node.world.containers)
    assert created.metadata.uid not in lists


async def test_containers_are_made_with_the_description_that_their_sandbox_was_made_by(
    node: Rig, monkeypatch: pytest.MonkeyPatch
):
    """As the CRI says, word for word; each says when the kubelet saw the pod."""
    described: list[Any] = []
    run_sandbox, create_container = Runtime.run_sandbox, Runtime.create_container

    async def running(self: Runtime, config: Any, handler: str) -> str:
        described.append(config)
        return await run_sandbox(self, config, handler)

    async def creating(self: Runtime, sandbox_id: str, config: Any, sandbox: Any) -> str:
        described.append(sandbox)
        return await create_container(self, sandbox_id, config, sandbox)

    monkeypatch.setattr(Runtime, "run_sandbox", running)
    monkeypatch.setattr(Runtime, "create_container", creating)
    await node.create(pod("web", containers=[container("main"), container("beside")]))
    await node.until("web", is_ready)
    first, *others = described
    assert others == [first, first]


async def test_a_sandbox_is_made_by_the_handler_of_its_runtime_class(node: Rig):
    """A class that is not there has none, and the text says so; who names no class is made by the default."""
    classes = resource_of(served.RUNTIME_CLASSES, RuntimeClass)
    isolated = RuntimeClass(metadata=ObjectMeta(name="isolated"), handler="kata")
    await node.api.create(classes, isolated)
    await node.create(pod("web", runtimeClassName="isolated"))
    await node.until("web", is_ready)
    [sandbox] = node.world.sandboxes.values()
    assert sandbox.record.runtime_handler == "kata"
    await node.api.delete(classes, "isolated")
    with pytest.raises(HandlerProblem, match='RuntimeClass "isolated" not found'):
        await RuntimeHandlers(node.api).of(pod(runtimeClassName="isolated"))
    assert await RuntimeHandlers(node.api).of(pod()) == ""


async def test_a_pod_gets_users_of_its_own_only_where_the_runtime_has_them(node: Rig):
    """It waits otherwise, and an event says why; so does one whose whole name is no host name."""
    await node.create(pod("web", hostUsers=False))
    await node.create(pod("l" * 60, subdomain="s", setHostnameAsFQDN=True))
    for name, why in (("web", "does not support user namespaces"), ("l" * 60, "64 characters is the max")):
        await node.until_told(name, "FailedCreatePodSandBox")
        assert any(why in message for _, message in await node.events(name))
    able = {"": Features(has_user_namespaces=True)}
    assert await RuntimeHandlers(node.api, lambda: able).of(pod(hostUsers=False)) == ""
