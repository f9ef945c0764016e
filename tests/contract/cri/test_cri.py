"""What a kubelet may rely on, whichever runtime answers."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from typing import Any

import pytest

from machinery.pb import cri_pb2 as cri
from machinery.rpc.status import Code, RpcError
from tests.support.cri_servers import (
    DEAF,
    DONE,
    FAILS,
    GREEDY,
    IMAGE,
    NO_SUCH_COMMAND,
    POD_CIDR,
    SHORT,
    SLEEPS,
    Cri,
    cri_server,
    exists,
    rotate,
)
from tests.support.requirements import need
from tests.support.stalls import taking
from tests.support.waiting import stays

SECOND_NS = 10**9  # as exact as an engine need be


async def refused(work: Any, *codes: Code) -> str:
    """Expect an error with one of these codes, and return its text."""
    with pytest.raises(RpcError) as caught:
        await work
    assert caught.value.code in codes, caught.value
    assert caught.value.details
    return str(caught.value.details)


# --- the runtime


async def test_it_names_itself(runtime: Cri):
    """Version names the runtime and the API."""
    answer = await runtime.call("Version")
    assert answer.runtime_name == ("docker" if runtime.is_real else "hollow")
    assert answer.runtime_version


@pytest.mark.parametrize("kind", ["hollow", pytest.param("dockershim", marks=pytest.mark.docker)])
async def test_the_network_is_ready_when_the_pod_range_is_known(kind: str):
    """Until then the condition says why not, and no sandbox starts; a range that is none is refused, two are one of each family."""
    if kind == "dockershim":
        need("docker", "cni")
    from tests.support.cri_servers import connected

    with cri_server(kind) as server:
        async with connected(server) as client:
            assert await _conditions(client) == {"RuntimeReady": True, "NetworkReady": False}
            await refused(client.run_sandbox(), Code.UNAVAILABLE)
            await refused(client.use_pod_range("10.0.0.0/99"), Code.INVALID_ARGUMENT)
            await client.use_pod_range()
            assert await _conditions(client) == {"RuntimeReady": True, "NetworkReady": True}
            await _has_an_address_of_each_range(client)


async def _has_an_address_of_each_range(client: Cri) -> None:
    """In a node of a dual-stack cluster: the first range's address is the first one; no two sandboxes have the same."""
    ranges = [POD_CIDR, "fd00:10:88::/64"]
    await client.use_pod_range(",".join(ranges))
    await client.have_image()
    seen: set[str] = set()
    for _ in range(2):
        sandbox_id, _ = await client.run_sandbox()
        network = (await client.sandbox_status(sandbox_id)).network
        found = [network.ip, *(each.ip for each in network.additional_ips)]
        for address, range_ in zip(found, ranges, strict=True):
            assert ipaddress.ip_address(address) in ipaddress.ip_network(range_)
        assert not seen & {*found}
        seen.update(found)


async def _conditions(client: Cri) -> dict[str, bool]:
    status = (await client.call("Status")).status
    common = [each for each in status.conditions if each.type in {"RuntimeReady", "NetworkReady"}]
    return {condition.type: condition.status for condition in common}


# --- sandboxes


async def test_a_sandbox_is_ready_with_an_address_of_the_range(runtime: Cri):
    """Its status says what it was made with, and when."""
    before_ns = time.time_ns()
    sandbox_id, config = await runtime.run_sandbox()
    status = await runtime.sandbox_status(sandbox_id)
    assert status.state == cri.SANDBOX_READY
    assert status.metadata == config.metadata
    assert dict(status.labels) == dict(config.labels)
    assert ipaddress.ip_address(status.network.ip) in ipaddress.ip_network(POD_CIDR)
    assert before_ns - SECOND_NS <= status.created_at <= time.time_ns() + SECOND_NS


async def test_two_sandboxes_have_two_addresses(runtime: Cri):
    """Also when they are made at the same time."""
    made = await asyncio.gather(*(runtime.run_sandbox() for _ in range(4)))
    statuses = [await runtime.sandbox_status(sandbox_id) for sandbox_id, _ in made]
    assert len({status.network.ip for status in statuses}) == 4


async def test_the_same_sandbox_twice_is_one(runtime: Cri):
    """A kubelet that did not hear the answer asks again; another attempt is another sandbox."""
    config = runtime.sandbox_config()
    first = await runtime.call("RunPodSandbox", config=config)
    again = await runtime.call("RunPodSandbox", config=config)
    assert again.pod_sandbox_id == first.pod_sandbox_id
    config.metadata.attempt = 1
    other = await runtime.call("RunPodSandbox", config=config)
    assert other.pod_sandbox_id != first.pod_sandbox_id


async def test_a_stopped_sandbox_is_not_ready_and_can_be_stopped_again(runtime: Cri):
    """Its address is given back; what ran in it has been killed."""
    sandbox_id, container = await runtime.run(DEAF)
    await runtime.call("StopPodSandbox", pod_sandbox_id=sandbox_id)
    await runtime.call("StopPodSandbox", pod_sandbox_id=sandbox_id)
    status = await runtime.sandbox_status(sandbox_id)
    assert status.state == cri.SANDBOX_NOTREADY
    assert not status.network.ip
    assert (await runtime.status(container)).exit_code == 137


async def test_a_removed_sandbox_is_gone_with_its_containers(runtime: Cri):
    """To remove what is gone is fine, to ask about it is NotFound."""
    sandbox_id, container = await runtime.run()
    for _ in range(2):
        await runtime.call("RemovePodSandbox", pod_sandbox_id=sandbox_id)
    await runtime.call("StopPodSandbox", pod_sandbox_id=sandbox_id)
    await refused(runtime.sandbox_status(sandbox_id), Code.NOT_FOUND)
    await refused(runtime.status(container), Code.NOT_FOUND)


async def test_sandboxes_are_listed_by_id_state_and_label(runtime: Cri):
    """All parts of a filter have to fit."""
    first, _ = await runtime.run_sandbox()
    second, _ = await runtime.run_sandbox(labels={"app": "other"})
    await runtime.call("StopPodSandbox", pod_sandbox_id=second)

    async def listed(**fields: Any) -> set[str]:
        answer = await runtime.call("ListPodSandbox", filter=cri.PodSandboxFilter(**fields))
        return {item.id for item in answer.items}

    assert await listed() == {first, second}
    assert await listed(id=first[:12]) == {first}
    assert await listed(state=cri.PodSandboxStateValue(state=cri.SANDBOX_NOTREADY)) == {second}
    assert await listed(label_selector={"app": "other"}) == {second}
    assert await listed(id=first, label_selector={"app": "other"}) == set()


async def test_a_sandbox_needs_a_name_and_a_uid(runtime: Cri):
    """Otherwise nothing is made."""
    await refused(runtime.call("RunPodSandbox", config=cri.PodSandboxConfig()), Code.INVALID_ARGUMENT)
    assert not (await runtime.call("ListPodSandbox")).items


# --- containers


async def test_a_container_is_created_runs_and_ends(runtime: Cri):
    """Each state has its timestamps, and the status says what the container was made with."""
    sandbox = await runtime.run_sandbox(DONE)
    container = await runtime.create(sandbox, DONE)
    created = await runtime.status(container)
    assert created.state == cri.CONTAINER_CREATED
    assert not created.started_at
    await runtime.call("StartContainer", container_id=container)
    ended = await runtime.ended(container)
    assert (ended.exit_code, ended.reason) == (0, "Completed")
    assert created.created_at <= ended.started_at <= ended.finished_at
    assert ended.metadata.name == "main"
    assert ended.image.image == IMAGE
    assert ended.image_ref
    assert dict(ended.annotations) == {"note": "kept"}
    assert ended.log_path == f"{sandbox[1].log_directory}/main/0.log"


async def test_the_log_is_complete_when_the_end_is_known(runtime: Cri):
    """Each line has the time, the stream and a tag."""
    _, container = await runtime.run(DONE)
    await runtime.ended(container)
    last = (await runtime.log_lines(container))[-1].split(" ", 3)
    assert last[0].endswith("Z")
    assert last[1:3] == ["stdout", "F"]


async def test_an_exit_code_is_an_error(runtime: Cri):
    """The code is kept."""
    _, container = await runtime.run(FAILS)
    ended = await runtime.ended(container)
    assert (ended.exit_code, ended.reason) == (3, "Error")


async def test_too_much_memory_is_oom_killed(runtime: Cri):
    """With reason OOMKilled and code 137."""
    _, container = await runtime.run(GREEDY)
    ended = await runtime.ended(container)
    assert (ended.exit_code, ended.reason) == (137, "OOMKilled")


async def test_a_command_that_does_not_exist_is_a_start_error(runtime: Cri):
    """The caller gets the error; the container has ended with 128 and StartError, also in a list."""
    sandbox = await runtime.run_sandbox(NO_SUCH_COMMAND)
    container = await runtime.create(sandbox, NO_SUCH_COMMAND)
    text = await refused(
        runtime.call("StartContainer", container_id=container), Code.INVALID_ARGUMENT, Code.INTERNAL
    )
    assert "/no/such/command" in text
    status = await runtime.status(container)
    assert (status.state, status.exit_code, status.reason) == (cri.CONTAINER_EXITED, 128, "StartError")
    assert "/no/such/command" in status.message
    assert status.finished_at >= status.created_at
    listed = (await runtime.call("ListContainers")).containers
    assert [item.state for item in listed if item.id == container] == [cri.CONTAINER_EXITED]


async def test_the_same_container_twice_is_one(runtime: Cri):
    """Also after it was started; another attempt is another container."""
    sandbox = await runtime.run_sandbox()
    container = await runtime.create(sandbox)
    assert await runtime.create(sandbox) == container
    await runtime.call("StartContainer", container_id=container)
    await runtime.call("StartContainer", container_id=container)
    assert await runtime.create(sandbox) == container
    assert await runtime.create(sandbox, metadata=cri.ContainerMetadata(name="main", attempt=1)) != container


async def test_a_container_needs_a_sandbox_and_an_image(runtime: Cri):
    """Each that is missing is NotFound, a stopped sandbox is refused."""
    sandbox_id, config = sandbox = await runtime.run_sandbox()
    await refused(runtime.create(("0" * 64, config)), Code.NOT_FOUND)
    await refused(runtime.create(sandbox, image=cri.ImageSpec(image="never-pulled:1")), Code.NOT_FOUND)
    await runtime.call("StopPodSandbox", pod_sandbox_id=sandbox_id)
    await refused(runtime.create(sandbox), Code.ABORTED)


async def test_a_container_is_started_once(runtime: Cri):
    """One that has ended is not started again."""
    _, container = await runtime.run(DONE)
    await runtime.ended(container)
    await refused(runtime.call("StartContainer", container_id=container), Code.ABORTED)


async def test_sigterm_that_is_handled_ends_at_once(runtime: Cri):
    """The answer comes when the container has ended; to stop it again is fine."""
    _, container = await runtime.run(SLEEPS)
    await runtime.heeds_sigterm(container)
    with taking(less_than_s=30):
        for _ in range(2):
            await runtime.call("StopContainer", container_id=container, timeout=60)
    status = await runtime.status(container)
    assert (status.state, status.exit_code, status.reason) == (cri.CONTAINER_EXITED, 0, "Completed")


async def test_sigterm_that_is_ignored_is_sigkill_at_the_timeout(runtime: Cri):
    """Not before, and at most a second after."""
    _, container = await runtime.run(DEAF)
    await runtime.heeds_sigterm(container)
    with taking(at_least_s=1.9, less_than_s=10):  # the machine is shared: far from the sleeper's own end
        await runtime.call("StopContainer", container_id=container, timeout=2)
    assert (await runtime.status(container)).exit_code == 137


async def test_a_second_stop_without_timeout_kills_at_once(runtime: Cri):
    """It is not held up by the first one."""
    _, container = await runtime.run(DEAF)
    await runtime.heeds_sigterm(container)
    with taking(less_than_s=30):
        patient = asyncio.ensure_future(runtime.call("StopContainer", container_id=container, timeout=60))
        await stays(lambda: not patient.done(), for_s=0.3)
        await runtime.call("StopContainer", container_id=container, timeout=0)
        await patient


async def test_a_running_container_can_be_removed(runtime: Cri):
    """To remove or stop what is gone is fine."""
    _, container = await runtime.run(DEAF)
    for _ in range(2):
        await runtime.call("RemoveContainer", container_id=container)
    await runtime.call("StopContainer", container_id=container, timeout=1)
    await refused(runtime.status(container), Code.NOT_FOUND)


async def test_containers_are_listed_by_sandbox_state_and_label(runtime: Cri):
    """All parts of a filter have to fit."""
    sandbox_id, first = await runtime.run(SLEEPS)
    _, second = await runtime.run(SLEEPS, name="main", labels={"tier": "back"})
    await runtime.call("StopContainer", container_id=second, timeout=0)

    async def listed(**fields: Any) -> set[str]:
        answer = await runtime.call("ListContainers", filter=cri.ContainerFilter(**fields))
        return {item.id for item in answer.containers}

    assert await listed() == {first, second}
    assert await listed(pod_sandbox_id=sandbox_id) == {first}
    assert await listed(state=cri.ContainerStateValue(state=cri.CONTAINER_EXITED)) == {second}
    assert await listed(label_selector={"tier": "back"}) == {second}
    assert await listed(id=second[:10]) == {second}


async def test_new_resources_are_seen_in_the_status(runtime: Cri):
    """What is not given stays as it was."""
    sandbox = await runtime.run_sandbox()
    resources = cri.LinuxContainerResources(cpu_shares=128, memory_limit_in_bytes=64 * 2**20)
    container = await runtime.create(sandbox, linux=cri.LinuxContainerConfig(resources=resources))
    await runtime.call("StartContainer", container_id=container)
    await runtime.call(
        "UpdateContainerResources", container_id=container, linux=cri.LinuxContainerResources(cpu_shares=512)
    )
    now = (await runtime.status(container)).resources.linux
    assert (now.cpu_shares, now.memory_limit_in_bytes) == (512, 64 * 2**20)


async def test_a_log_goes_on_in_a_new_file_when_it_is_reopened(runtime: Cri):
    """The kubelet renames the file first."""
    _, container = await runtime.run(SLEEPS)
    path = (await runtime.status(container)).log_path
    async with asyncio.timeout(60):
        while not exists(path):
            await asyncio.sleep(0.02)
    rotate(path)
    await runtime.call("ReopenContainerLog", container_id=container)
    assert exists(path)


async def test_statistics_name_their_container(runtime: Cri):
    """By id, in a list, and within those of its pod."""
    sandbox_id, container = await runtime.run(SLEEPS)
    one = (await runtime.call("ContainerStats", container_id=container)).stats
    assert one.attributes.id == container
    assert one.memory.working_set_bytes.value > 0
    assert one.writable_layer.HasField("used_bytes")
    listed = (await runtime.call("ListContainerStats")).stats
    assert [(item.attributes.id, item.writable_layer.timestamp > 0) for item in listed] == [(container, True)]
    pod = (await runtime.call("PodSandboxStats", pod_sandbox_id=sandbox_id)).stats
    assert [item.attributes.id for item in pod.linux.containers] == [container]
    assert pod.linux.memory.working_set_bytes.value > 0


# --- events


async def test_every_change_is_told(runtime: Cri):
    """With the sandbox and its containers as they were then; an end comes with its exit code."""
    stream = runtime.runtime.GetContainerEvents(cri.GetEventsRequest())
    await stream.begun()
    sandbox_id, container = await runtime.run(FAILS)
    await runtime.ended(container)
    await runtime.call("RemovePodSandbox", pod_sandbox_id=sandbox_id)
    seen = []
    async with asyncio.timeout(60):
        while (container, cri.CONTAINER_DELETED_EVENT) not in {
            (e.container_id, e.container_event_type) for e in seen
        }:
            seen.append(await stream.read())
    stream.cancel()
    mine = [event for event in seen if event.container_id == container]
    assert [event.container_event_type for event in mine] == [
        cri.CONTAINER_CREATED_EVENT,
        cri.CONTAINER_STARTED_EVENT,
        cri.CONTAINER_STOPPED_EVENT,
        cri.CONTAINER_DELETED_EVENT,
    ]
    assert all(event.pod_sandbox_status.id == sandbox_id for event in mine)
    assert mine[2].containers_statuses[0].exit_code == 3
    assert (sandbox_id, cri.CONTAINER_STARTED_EVENT) in {
        (e.container_id, e.container_event_type) for e in seen
    }


# --- a server that is killed


async def test_a_killed_server_finds_its_containers_as_they_are(runtime: Cri):
    """Those that ran kept their ids, addresses and start times; one that ended meanwhile has ended."""
    sandbox_id, lasting = await runtime.run(SLEEPS)
    _, short = await runtime.run(SHORT)
    before, address = await runtime.status(lasting), (await runtime.sandbox_status(sandbox_id)).network.ip
    runtime.server.kill()
    await runtime.ends_unseen(short)
    runtime.server.start()
    after = await runtime.status(lasting)
    assert (after.state, after.started_at) == (cri.CONTAINER_RUNNING, before.started_at)
    assert (await runtime.sandbox_status(sandbox_id)).network.ip == address
    assert (await runtime.status(short)).state == cri.CONTAINER_EXITED
    assert {item.id for item in (await runtime.call("ListContainers")).containers} == {lasting, short}


async def test_sigterm_ends_the_server_in_good_order(runtime: Cri):
    """With exit code 0, also while somebody listens to events."""
    stream = runtime.runtime.GetContainerEvents(cri.GetEventsRequest())
    await stream.begun()
    assert await asyncio.to_thread(runtime.server.stop) == 0
    stream.cancel()
    await asyncio.to_thread(runtime.server.start)
    await runtime.call("Version")


# --- images


async def test_an_image_that_is_here_is_described(runtime: Cri):
    """By its name and by its id; one that is not here is an empty answer, no error."""
    by_name = await _image(runtime, IMAGE)
    assert by_name.id.startswith("sha256:")
    assert IMAGE in by_name.repo_tags
    assert (await _image(runtime, by_name.id)).id == by_name.id
    assert not (await _image(runtime, "never-pulled:1")).id
    listed = await runtime.images.ListImages(cri.ListImagesRequest(), timeout=20)
    assert by_name.id in {image.id for image in listed.images}


async def test_an_image_that_does_not_exist_cannot_be_pulled(runtime: Cri):
    """The error names the image; without a way to its registry it is Unavailable."""
    name = "registry.invalid/does-not-exist:1"
    pull = runtime.images.PullImage(cri.PullImageRequest(image=cri.ImageSpec(image=name)), timeout=60)
    assert name in await refused(pull, Code.NOT_FOUND, Code.UNAVAILABLE)


async def test_a_pull_needs_a_name(runtime: Cri):
    """It is refused before anything is asked."""
    await refused(runtime.images.PullImage(cri.PullImageRequest(), timeout=20), Code.INVALID_ARGUMENT)


async def test_to_remove_an_image_that_is_not_here_is_fine(runtime: Cri):
    """As the protocol has it."""
    spec = cri.ImageSpec(image="never-pulled:1")
    await runtime.images.RemoveImage(cri.RemoveImageRequest(image=spec), timeout=20)


async def test_image_space_is_told(runtime: Cri):
    """For images and for containers."""
    info = await runtime.images.ImageFsInfo(cri.ImageFsInfoRequest(), timeout=60)
    assert info.image_filesystems[0].used_bytes.value > 0
    assert info.container_filesystems[0].fs_id.mountpoint


async def _image(runtime: Cri, name: str) -> Any:
    request = cri.ImageStatusRequest(image=cri.ImageSpec(image=name))
    return (await runtime.images.ImageStatus(request, timeout=20)).image


# --- what is not built


async def test_what_is_not_built_says_so(runtime: Cri):
    """It answers UNIMPLEMENTED and names what is missing."""
    sandbox_id, container = await runtime.run()
    await refused(runtime.call("CheckpointContainer", container_id=container), Code.UNIMPLEMENTED)
    if not runtime.is_real:
        await refused(runtime.call("PortForward", pod_sandbox_id=sandbox_id, port=[80]), Code.UNIMPLEMENTED)
        await refused(runtime.call("ExecSync", container_id=container, cmd=["true"]), Code.UNIMPLEMENTED)
        await refused(runtime.call("Attach", container_id=container, stdout=True), Code.UNIMPLEMENTED)
