"""What only real containers can do: networks, commands, streams, logs that are copied, limits, and kills between steps."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import aiohttp
import docker
import pytest

from dockershim.core.capabilities import NAMES
from kubelet.exec_streams import connect
from machinery.pb import cri_pb2 as cri
from machinery.rpc.status import Code, RpcError
from tests.support.cri_servers import (
    DOCKER,
    IMAGE,
    SLEEPS,
    Behaviour,
    Cri,
    CriServer,
    connected,
    cri_server,
    purge,
    read_lines,
    rotate,
)
from tests.support.requirements import need
from tests.support.stalls import taking
from tests.support.waiting import pause, stays, until

pytestmark = pytest.mark.docker


async def sh(shim: Cri, container: str, script: str, timeout_s: int = 0) -> Any:
    """Run a script in a container."""
    return await shim.call("ExecSync", container_id=container, cmd=["sh", "-c", script], timeout=timeout_s)


@contextlib.asynccontextmanager
async def streams(shim: Cri, url: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Open the streams behind a URL, from where the server runs."""
    parts = urlsplit(url)
    if parts.scheme == "http+unix":
        connector: aiohttp.BaseConnector = aiohttp.UnixConnector(unquote(parts.netloc))
        base = "http://localhost"
    else:
        base, connector = f"http://{parts.netloc}", aiohttp.TCPConnector(socket_factory=shim.in_namespace)
    async with aiohttp.ClientSession(connector=connector) as session:
        connect = session.ws_connect(f"{base}{parts.path}", protocols=["v5.channel.k8s.io"])
        async with asyncio.timeout(60), connect as socket:
            yield socket


async def conversation(socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """Read to the end: channel → what came."""
    heard: dict[int, bytes] = {}
    async for message in socket:
        heard[message.data[0]] = heard.get(message.data[0], b"") + message.data[1:]
    return heard


# --- what containers have written


async def test_what_a_container_has_written_is_measured(shim: Cri):
    """Beside its volumes; of who looks again at once nothing is measured anew, and nothing for a look at all pods."""
    sandbox_id, container = await shim.run()
    await sh(
        shim, container, "head -c 3000000 /dev/zero >/tmp/file; head -c 9000000 /dev/zero >/dev/shm/file"
    )
    one = (await shim.call("ContainerStats", container_id=container)).stats.writable_layer
    assert 3_000_000 <= one.used_bytes.value < 4_000_000
    again = (await shim.call("ContainerStats", container_id=container)).stats.writable_layer
    if again.timestamp - one.timestamp < 5 * 10**9:
        assert again == one
    stats = (await shim.call("PodSandboxStats", pod_sandbox_id=sandbox_id)).stats
    assert not any(each.HasField("writable_layer") for each in stats.linux.containers)


# --- commands


async def runs(shim: Cri, container: str, word: str) -> bool:
    """Whether a process of a container has a word in its command line."""
    return f"sleep {word}" in (await sh(shim, container, "ps")).stdout.decode()


async def not_runs(shim: Cri, container: str, pattern: str) -> bool:
    """Whether no process of a container has what a pattern finds in its command line."""
    return not re.search(f"sleep {pattern}", (await sh(shim, container, "ps")).stdout.decode())


async def exec_url(shim: Cri, container: str, script: str, *, tty: bool) -> str:
    """Prepare a script with all its streams; return their URL."""
    request = {"container_id": container, "cmd": ["sh", "-c", script], "stdin": True, "stdout": True}
    return str((await shim.call("Exec", **request, tty=tty, stderr=not tty)).url)


async def test_a_command_gives_both_streams_and_its_code(shim: Cri):
    """Output and errors are apart."""
    _, container = await shim.run()
    said = await sh(shim, container, "echo out; echo err >&2; exit 7")
    assert (said.stdout, said.stderr, said.exit_code) == (b"out\n", b"err\n", 7)


async def test_a_command_that_takes_too_long_is_killed(shim: Cri):
    """The caller gets DEADLINE_EXCEEDED in time, and the process is gone."""
    _, container = await shim.run()
    with taking(less_than_s=10), pytest.raises(RpcError) as caught:
        await shim.call("ExecSync", container_id=container, cmd=["sleep", "4711"], timeout=1)
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    assert b"4711" not in (await sh(shim, container, "ps | grep -v grep")).stdout


async def test_what_a_command_has_started_is_killed_with_it(shim: Cri):
    """Also where the first process has ended and left one behind that holds its output."""
    _, container = await shim.run()
    for script in ("sleep 4711; true", "sleep 4711 &"):
        with pytest.raises(RpcError, match="timed out"):
            await sh(shim, container, script, timeout_s=1)
        assert not await runs(shim, container, "4711")


async def test_a_command_is_killed_when_its_caller_has_waited_long_enough(shim: Cri):
    """As the kubelet's deadline does, which comes before the runtime's; also while it is being started."""
    _, container = await shim.run()
    for patience_s in (0.02, 0.05, 0.1, 0.5):
        request = cri.ExecSyncRequest(
            container_id=container, cmd=["sh", "-c", "sleep 4712; true"], timeout=30
        )
        with pytest.raises(RpcError):
            await shim.runtime.ExecSync(request, timeout=patience_s)
    await until(lambda: not_runs(shim, container, "4712"))


async def test_a_killed_dockershims_commands_are_killed_by_the_next_one(shim: Cri):
    """Their clients went with it."""
    _, container = await shim.run()
    calling = asyncio.ensure_future(sh(shim, container, "sleep 4713; true"))
    url = (await shim.call("Exec", container_id=container, cmd=["sleep", "4714"], stdout=True)).url
    async with streams(shim, url):
        await until(lambda: runs(shim, container, "4713"))
        await until(lambda: runs(shim, container, "4714"))
        shim.server.kill()
    with pytest.raises(RpcError):
        await calling
    shim.server.start()
    await until(lambda: not_runs(shim, container, "471[34]"))


@pytest.mark.parametrize("tty", [False, True])
async def test_a_command_does_not_outlive_its_client(shim: Cri, *, tty: bool):
    """It is asked to end, with what it has started: a terminal hangs up, and what ignores that stays."""
    _, container = await shim.run()
    script = "trap '' HUP; sleep 4715 & trap - HUP; sleep 4716 & sleep 4717; true"
    async with streams(shim, await exec_url(shim, container, script, tty=tty)):
        for number in ("4715", "4716", "4717"):
            await until(lambda number=number: runs(shim, container, number))
    await until(lambda: not_runs(shim, container, "471[67]"))
    if tty:
        assert await runs(shim, container, "4715")
    else:
        await until(lambda: not_runs(shim, container, "4715"))


async def test_a_command_that_does_not_end_when_its_client_leaves_is_killed(shim: Cri):
    """After some seconds."""
    _, container = await shim.run()
    script = "trap '' TERM; sleep 4718; sleep 4719"
    async with streams(shim, await exec_url(shim, container, script, tty=False)):
        await until(lambda: runs(shim, container, "4718"))
    await until(lambda: not_runs(shim, container, "471[89]"), within_s=30)


async def test_a_kubelet_that_leaves_is_noticed_behind_input_that_nobody_reads(shim: Cri):
    """More than all buffers hold."""
    _, container = await shim.run()
    request = cri.ExecRequest(container_id=container, cmd=["sleep", "4720"], stdin=True, stdout=True)
    ours = await shim.runtime.Exec(request, timeout=20, metadata=[("kubarium-caller", "kubelet@node-1")])
    connection = await connect(ours.url)
    await until(lambda: runs(shim, container, "4720"))
    typing = asyncio.ensure_future(connection.send_stdin(bytes(8 * 2**20)))
    await stays(lambda: not typing.done(), for_s=0.5)
    typing.cancel()
    await connection.aclose()
    await until(lambda: not_runs(shim, container, "4720"))


async def test_a_container_outlives_who_is_attached_to_it(shim: Cri):
    """Its own process is nobody's command."""
    _, container = await shim.run(Behaviour("sleep 4721"))
    url = (await shim.call("Attach", container_id=container, stdout=True)).url
    async with streams(shim, url):
        await until(lambda: runs(shim, container, "4721"))
    await pause(1.5, "a client that has left would be noticed")
    assert await runs(shim, container, "4721")


async def test_a_command_that_does_not_exist_is_an_error(shim: Cri):
    """It says which."""
    _, container = await shim.run()
    with pytest.raises(RpcError, match="nonsuch"):
        await shim.call("ExecSync", container_id=container, cmd=["nonsuch"])


async def test_exec_carries_input_to_its_end_and_output_after_it(shim: Cri):
    """Half-closed input lets the command finish; the outcome is a Status."""
    _, container = await shim.run()
    cmd = ["sh", "-c", "cat; echo bye >&2; exit 4"]
    request = {"container_id": container, "cmd": cmd, "stdin": True, "stdout": True, "stderr": True}
    async with streams(shim, (await shim.call("Exec", **request)).url) as socket:
        await socket.send_bytes(b"\x00hello ")
        await socket.send_bytes(b"\x00world")
        await socket.send_bytes(b"\xff\x00")
        heard = await conversation(socket)
    assert (heard[1], heard[2]) == (b"hello world", b"bye\n")
    outcome = json.loads(heard[3])
    assert outcome["reason"] == "NonZeroExitCode"
    assert outcome["details"]["causes"] == [{"reason": "ExitCode", "message": "4"}]


async def test_exec_with_a_terminal_can_be_resized(shim: Cri):
    """The command sees the size."""
    _, container = await shim.run()
    cmd = ["sh", "-c", 'until [ "$(stty size 2>/dev/null)" = "33 99" ]; do sleep 0.1; done; stty size']
    request = {"container_id": container, "cmd": cmd, "stdin": True, "stdout": True, "tty": True}
    async with streams(shim, (await shim.call("Exec", **request)).url) as socket:
        await socket.send_bytes(b"\x04" + json.dumps({"Width": 99, "Height": 33}).encode())
        heard = await conversation(socket)
    assert heard[1].strip() == b"33 99"
    assert json.loads(heard[3])["status"] == "Success"


async def test_a_streaming_url_works_once(shim: Cri):
    """Whoever reads it later gets nothing."""
    _, container = await shim.run()
    url = (await shim.call("Exec", container_id=container, cmd=["true"], stdout=True)).url
    async with streams(shim, url) as socket:
        assert json.loads((await conversation(socket))[3])["status"] == "Success"
    with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
        async with streams(shim, url):
            pass


async def test_any_client_gets_an_address_that_it_can_dial(shim: Cri):
    """A port of the node's loopback, since Go's clients parse nothing else; a component of ours gets a unix socket."""
    _, container = await shim.run()
    request = cri.ExecRequest(container_id=container, cmd=["echo", "here"], stdout=True)
    ours = await shim.runtime.Exec(request, timeout=20, metadata=[("kubarium-caller", "kubelet@node-1")])
    assert ours.url.startswith(f"http+unix://{quote(str(shim.server.socket), safe='')}.streaming/exec/")
    theirs = [await shim.runtime.Exec(request, timeout=20) for _ in range(2)]
    assert [re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/exec/[\w-]{22}", each.url) for each in theirs]
    assert len({urlsplit(each.url).netloc for each in theirs}) == 1
    for url in (ours.url, *(each.url for each in theirs)):
        async with streams(shim, url) as socket:
            assert (await conversation(socket))[1] == b"here\n"
    async with streams(shim, (await shim.call("Attach", container_id=container, stdout=True)).url) as socket:
        assert not socket.closed


async def test_attach_carries_the_first_process(shim: Cri):
    """Its input and its output."""
    _, container = await shim.run(Behaviour("read line; echo got $line"), stdin=True, stdin_once=True)
    request = {"container_id": container, "stdin": True, "stdout": True, "stderr": True}
    async with streams(shim, (await shim.call("Attach", **request)).url) as socket:
        await socket.send_bytes(b"\x00ping\n")
        heard = await conversation(socket)
    assert heard[1] == b"got ping\n"


# --- logs


async def has_lines(shim: Cri, container: str, count: int) -> None:
    """Wait until so many lines of a container have been copied."""

    async def are_there() -> bool:
        return len(await shim.log_lines(container)) >= count

    await until(are_there)


COUNTS = Behaviour("i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; sleep 0.01; done; printf last")


async def test_a_log_that_is_copied_by_a_server_that_is_killed_has_every_line_once(shim: Cri):
    """In order, with nothing lost and nothing twice, also what was written while nobody was there."""
    _, container = await shim.run(COUNTS)
    for count in (40, 110, 180):
        await has_lines(shim, container, count)
        shim.server.kill()
        await pause(0.3, "the container goes on writing")
        shim.server.start()
    await shim.ended(container)
    lines = [line.split(" ", 3)[3] for line in await shim.log_lines(container)]
    assert lines == [*(f"line {number}" for number in range(1, 301)), "last"]


async def test_a_log_that_is_rotated_goes_on_where_it_was(shim: Cri):
    """The old and the new file together have every line once, also if the server is killed in between."""
    _, container = await shim.run(COUNTS)
    await has_lines(shim, container, 80)
    path = (await shim.status(container)).log_path
    old = rotate(path)
    shim.server.kill()
    shim.server.start()
    await shim.ended(container)
    lines = [line.split(" ", 3)[3] for line in [*read_lines(old), *read_lines(path)]]
    assert lines == [*(f"line {number}" for number in range(1, 301)), "last"]
    assert len(read_lines(path)) > 50


async def test_long_lines_are_in_pieces_and_streams_are_told_apart(shim: Cri):
    """All pieces but the last have the tag P."""
    script = "head -c 40000 /dev/zero | tr '\\0' x; echo; echo oops >&2"
    _, container = await shim.run(Behaviour(script))
    await shim.ended(container)
    lines = [line.split(" ", 3) for line in await shim.log_lines(container)]
    out = [line for line in lines if line[1] == "stdout"]
    assert [line[2] for line in out] == ["P", "P", "F"]
    assert sum(len(line[3]) for line in out) == 40000
    assert [line[1:] for line in lines if line[1] == "stderr"] == [["stderr", "F", "oops"]]


async def test_a_terminal_has_one_stream(shim: Cri):
    """Long lines are whole there, too."""
    script = "stty -opost; head -c 20000 /dev/zero | tr '\\0' y; echo; echo short"
    _, container = await shim.run(Behaviour(script), tty=True)
    await shim.ended(container)
    lines = [line.split(" ", 3) for line in await shim.log_lines(container)]
    assert {line[1] for line in lines} == {"stdout"}
    assert "".join(line[3] + ("\n" if line[2] == "F" else "") for line in lines) == "y" * 20000 + "\nshort\n"


# --- the network


async def test_pods_reach_each_other_and_containers_of_a_pod_share_localhost(shim: Cri):
    """By the pod's address from another pod, by 127.0.0.1 from within."""
    server = Behaviour("echo here >/tmp/index.html; httpd -f -p 8080 -h /tmp")
    sandbox = await shim.run_sandbox()
    for name, behaviour in (("web", server), ("side", SLEEPS)):
        container = await shim.create(sandbox, behaviour, name=name)
        await shim.call("StartContainer", container_id=container)
    _, other = await shim.run()
    address = (await shim.sandbox_status(sandbox[0])).network.ip
    for client, host in ((container, "127.0.0.1"), (other, address)):

        async def answers(client: str = client, host: str = host) -> bool:
            return (await sh(shim, client, f"wget -qO- http://{host}:8080/")).stdout == b"here\n"

        await until(answers)


async def test_a_host_port_leads_to_the_pod(shim: Cri):
    """On the node's addresses that it is for, from the node, another pod and itself, until the pod is stopped."""
    need("iptables")
    mappings = [
        cri.PortMapping(container_port=8080, host_port=18080),
        cri.PortMapping(container_port=8080, host_port=18081, host_ip="10.88.5.1"),
        cri.PortMapping(container_port=8080, host_port=18082, host_ip="127.0.0.1"),
        cri.PortMapping(container_port=8081, host_port=18083, protocol=cri.UDP),
        cri.PortMapping(container_port=8080),
    ]
    sandbox = await shim.run_sandbox(port_mappings=mappings)
    container = await shim.create(sandbox, Behaviour("echo here >/tmp/index.html; httpd -f -p 8080 -h /tmp"))
    await shim.call("StartContainer", container_id=container)
    _, other = await shim.run()
    inside = ["nsenter", f"--net=/run/netns/{shim.server.namespace}"]

    def answers(port: int, address: str = "10.88.5.1") -> bool:
        fetch = [*inside, "busybox", "wget", "-qO-", f"http://{address}:{port}/"]
        return subprocess.run(fetch, capture_output=True, check=False).stdout == b"here\n"

    await until(lambda: answers(18080))
    assert [answers(port) for port in (18081, 18082)] == [True, False]
    assert [answers(port, "127.0.0.1") for port in (18080, 18081, 18082)] == [True, False, True]
    for each in (container, other):
        assert (await sh(shim, each, "wget -qO- http://10.88.5.1:18080/")).stdout == b"here\n"
    rules = output(*inside, "iptables-save").decode()
    assert re.search(r"-p udp -m udp --dport 18083 -j DNAT --to-destination [0-9.]+:8081", rules)
    shim.server.kill()
    shim.server.start()
    assert answers(18080)
    await shim.call("StopPodSandbox", pod_sandbox_id=sandbox[0])
    assert not re.search(r"1808[0-9]", output(*inside, "iptables-save").decode())


async def test_a_host_port_that_cannot_be_leaves_no_sandbox(shim: Cri):
    """There is nothing that somebody would have to remove, and could not."""
    before = len((await shim.call("ListPodSandbox")).items)
    for mapping in (cri.PortMapping(host_port=18090), cri.PortMapping(host_port=70000, container_port=80)):
        with pytest.raises(RpcError, match="port mapping: ") as caught:
            await shim.run_sandbox(port_mappings=[mapping])
        assert caught.value.code is Code.INVALID_ARGUMENT
    assert len((await shim.call("ListPodSandbox")).items) == before


async def test_a_pod_on_the_nodes_network_is_in_the_nodes_namespace(shim: Cri):
    """It is the namespace of dockershim itself, not that of the engine's machine."""
    options = cri.NamespaceOption(network=cri.NODE, pid=cri.CONTAINER)
    security = cri.LinuxSandboxSecurityContext(namespace_options=options)
    sandbox = await shim.run_sandbox(linux=cri.LinuxPodSandboxConfig(security_context=security))
    own = cri.LinuxContainerSecurityContext(namespace_options=options)
    container = await shim.create(sandbox, linux=cri.LinuxContainerConfig(security_context=own))
    await shim.call("StartContainer", container_id=container)
    node = output("nsenter", "-t", str(shim.server.pid), "--net", "readlink", "/proc/self/ns/net")
    assert (await sh(shim, container, "readlink /proc/self/ns/net")).stdout == node
    assert (await shim.sandbox_status(sandbox[0])).state == cri.SANDBOX_READY


async def test_names_and_addresses_are_as_configured(shim: Cri):
    """Host name and DNS come from the sandbox."""
    dns = cri.DNSConfig(servers=["10.96.0.10"], searches=["default.svc.cluster.local"], options=["ndots:5"])
    sandbox = await shim.run_sandbox(dns_config=dns, hostname="chosen")
    container = await shim.create(sandbox)
    await shim.call("StartContainer", container_id=container)
    said = (await sh(shim, container, "hostname; cat /etc/resolv.conf")).stdout.decode().splitlines()
    assert said[0] == "chosen"
    assert {"nameserver 10.96.0.10", "search default.svc.cluster.local", "options ndots:5"} <= set(said)


async def test_addresses_are_given_back(shim: Cri):
    """A range for three pods serves any number of them, one after the other."""
    await shim.use_pod_range("10.88.6.0/29")
    for _ in range(8):
        sandbox_id, _ = await shim.run_sandbox()
        await shim.call("RemovePodSandbox", pod_sandbox_id=sandbox_id)


async def test_kernel_parameters_hold_in_the_pod(shim: Cri):
    """Each is set in the pod's own network or memory, where its containers read it; the node's stays as it is."""
    wanted = {"net.ipv4.ip_local_port_range": "20000\t20100", "kernel.shm_rmid_forced": "1"}
    paths = [f"/proc/sys/{name.replace('.', '/')}" for name in wanted]
    before = output("cat", *paths)
    sandbox = await shim.run_sandbox(linux=cri.LinuxPodSandboxConfig(sysctls=wanted))
    container = await shim.create(sandbox)
    await shim.call("StartContainer", container_id=container)
    said = (await sh(shim, container, f"cat {' '.join(paths)}")).stdout.decode()
    assert said.splitlines() == list(wanted.values())
    assert output("cat", *paths) == before


async def test_labels_mean_nothing_without_selinux(shim: Cri):
    """A container with SELinux options runs as one without, where the machine has none."""
    options = cri.SELinuxOption(user="u", role="r", type="t", level="s0:c1,c2")
    security = cri.LinuxContainerSecurityContext(selinux_options=options)
    sandbox = await shim.run_sandbox()
    container = await shim.create(sandbox, linux=cri.LinuxContainerConfig(security_context=security))
    await shim.call("StartContainer", container_id=container)
    assert (await sh(shim, container, "echo here")).stdout == b"here\n"


# --- limits and identities


async def test_limits_and_identities_reach_the_process(shim: Cri):
    """cgroup, user, groups, capabilities, read-only root, working directory, environment."""
    parent = f"/kubarium/{shim.server.cluster}/node-1/pods"
    sandbox = await shim.run_sandbox(linux=cri.LinuxPodSandboxConfig(cgroup_parent=parent))
    resources = cri.LinuxContainerResources(
        memory_limit_in_bytes=32 * 2**20,
        cpu_quota=50_000,
        cpu_period=100_000,
        cpu_shares=256,
        oom_score_adj=-997,
    )
    security = cri.LinuxContainerSecurityContext(
        run_as_user=cri.Int64Value(value=1000),
        run_as_group=cri.Int64Value(value=2000),
        supplemental_groups=[3000],
        readonly_rootfs=True,
        no_new_privs=True,
        capabilities=cri.Capability(drop_capabilities=["ALL"]),
    )
    container = await shim.create(
        sandbox,
        linux=cri.LinuxContainerConfig(resources=resources, security_context=security),
        working_dir="/home",
        envs=[cri.KeyValue(key="GREETING", value="hello there")],
    )
    await shim.call("StartContainer", container_id=container)
    script = "id -u; id -g; id -G; pwd; echo $GREETING; touch /x; grep -E 'CapEff|NoNewPrivs' /proc/self/status; cat /proc/1/cgroup"
    said = await sh(shim, container, script)
    lines = said.stdout.decode().splitlines()
    assert lines[:5] == ["1000", "2000", "2000 3000", "/home", "hello there"]
    assert b"Read-only" in said.stderr
    assert "CapEff:\t0000000000000000" in lines
    assert "NoNewPrivs:\t1" in lines
    assert any(parent in line for line in lines)
    limits = (await shim.status(container)).resources.linux
    assert (limits.memory_limit_in_bytes, limits.cpu_quota) == (32 * 2**20, 50_000)


async def test_mounts_are_bound_and_a_missing_source_is_refused(shim: Cri):
    """Read-only where asked; nothing is made up on the host."""
    (shim.server.folder / "data").mkdir(exist_ok=True)
    (shim.server.folder / "data" / "file").write_text("content")
    mount = cri.Mount(container_path="/data", host_path=str(shim.server.folder / "data"), readonly=True)
    _, container = await shim.run(mounts=[mount])
    said = await sh(shim, container, "cat /data/file; touch /data/new")
    assert said.stdout == b"content"
    assert said.exit_code != 0
    missing = cri.Mount(container_path="/data", host_path=str(shim.server.folder / "nowhere"))
    with pytest.raises(RpcError, match="nowhere"):
        await shim.run(mounts=[missing])


@pytest.mark.parametrize(
    "wish",
    [
        {"privileged": True},
        {"capabilities": cri.Capability(add_capabilities=["ALL"])},
        {"capabilities": cri.Capability(add_capabilities=["SYS_RESOURCE", "CAP_SYS_ADMIN"])},
    ],
    ids=["privileged", "all", "one"],
)
async def test_a_container_gets_the_capabilities_that_the_host_allows(shim: Cri, wish: dict[str, Any]):
    """All of them, or those that it named; where some are missing Status says so, and the container starts all the same."""
    status = (await shim.call("Status")).status
    [unrestricted] = [each for each in status.conditions if each.type == "RuntimeUnrestricted"]
    missing = {*re.findall(r"CAP_(\w+)", unrestricted.message)}
    assert unrestricted.status is not bool(missing)
    security = cri.LinuxContainerSecurityContext(**wish)
    _, container = await shim.run(linux=cri.LinuxContainerConfig(security_context=security))
    said = (
        await sh(shim, container, "grep CapEff /proc/self/status; ls /dev/loop-control /dev/kmsg")
    ).stdout.decode()
    effective = int(said.split()[1], 16)
    given = {name for number, name in enumerate(NAMES) if effective >> number & 1}
    wanted = (
        {"SYS_ADMIN"} if "SYS_ADMIN" in str(wish) else {*NAMES} - {"PERFMON", "BPF", "CHECKPOINT_RESTORE"}
    )
    assert given >= wanted - missing  # engines before 23 do not know the three latest
    assert not given & missing
    if "privileged" in wish:
        assert "/dev/kmsg" in said
        assert (
            await sh(shim, container, "mkdir /m && mount -t tmpfs none /m && echo x > /dev/null")
        ).exit_code == 0


@pytest.mark.parametrize("path", ["/", "/var", "/var/", "/var/lib", "<engine>", "<engine>/containers"])
async def test_the_machines_own_folders_can_be_mounted(shim: Cri, path: str):
    """Also those that hold the engine's, which it mounts in its own way (kubectl debug node/… mounts /)."""
    path = path.replace("<engine>", output("docker", "info", "--format={{.DockerRootDir}}").decode().strip())
    _, container = await shim.run(mounts=[cri.Mount(container_path="/host", host_path=path, readonly=True)])

    async def is_the_same() -> bool:  # others may make something there between both looks
        return (await sh(shim, container, "ls -A1 /host")).stdout == output("ls", "-A1", path)

    await until(is_the_same)


async def test_the_stop_signal_is_sent_once(shim: Cri):
    """Whoever stops a container again, be it the same kubelet or one after a crash of dockershim, only waits for it."""
    script = "trap 'echo told' TERM; while :; do sleep 0.05; done"
    _, container = await shim.run(Behaviour(script))
    await shim.heeds_sigterm(container)
    stops = [
        asyncio.ensure_future(shim.call("StopContainer", container_id=container, timeout=30))
        for _ in range(3)
    ]
    await has_lines(shim, container, 1)
    stops.pop().cancel()
    shim.server.kill()
    await asyncio.gather(*stops, return_exceptions=True)
    shim.server.start()
    await shim.call("StopContainer", container_id=container, timeout=1)
    status = await shim.status(container)
    assert (status.state, status.exit_code) == (cri.CONTAINER_EXITED, 137)
    assert [line.split(" ", 3)[3] for line in await shim.log_lines(container)] == ["told"]


async def test_what_the_engine_cannot_do_is_refused(shim: Cri):
    """With a text that says what it is."""
    strict = cri.LinuxContainerSecurityContext(supplemental_groups_policy=cri.Strict)
    sandbox = await shim.run_sandbox()
    with pytest.raises(RpcError, match="Strict") as caught:
        await shim.create(sandbox, linux=cri.LinuxContainerConfig(security_context=strict))
    assert caught.value.code is Code.UNIMPLEMENTED
    with pytest.raises(RpcError, match="gvisor"):
        await shim.call("RunPodSandbox", config=shim.sandbox_config(), runtime_handler="gvisor")


async def test_a_shared_process_namespace_has_no_zombies(shim: Cri):
    """The sandbox's program is the first process there, and reaps."""
    options = cri.NamespaceOption(pid=cri.POD)
    security = cri.LinuxSandboxSecurityContext(namespace_options=options)
    sandbox = await shim.run_sandbox(linux=cri.LinuxPodSandboxConfig(security_context=security))
    own = cri.LinuxContainerConfig(
        security_context=cri.LinuxContainerSecurityContext(namespace_options=options)
    )
    container = await shim.create(
        sandbox, Behaviour("(sleep 0.1 &) ; trap 'exit 0' TERM; sleep 1000 & wait"), linux=own
    )
    await shim.call("StartContainer", container_id=container)

    async def is_reaped() -> bool:
        said = (await sh(shim, container, "ps")).stdout.decode()
        assert "/pause" in said
        assert "sleep 1000" in said
        return not re.search(r"\d sleep 0\.1$", said, re.MULTILINE) and "[sleep]" not in said

    await until(is_reaped)


# --- kills between steps, and other owners


async def test_a_sandbox_that_was_made_half_is_made_whole(shim: Cri):
    """What a killed server created but did not start is found by its name and replaced."""
    config = shim.sandbox_config()
    meta = config.metadata
    name = f"k8s_POD_{meta.name}_{meta.namespace}_{meta.uid}_0"
    labels = {
        "kubarium.cluster": shim.server.cluster,
        "kubarium.node": "node-1",
        "kubarium.kind": "podsandbox",
    }
    with engine() as client:
        left = client.containers.create(IMAGE, name=name, labels=labels)
    made = await shim.call("RunPodSandbox", config=config)
    assert made.pod_sandbox_id != left.id
    assert (await shim.sandbox_status(made.pod_sandbox_id)).state == cri.SANDBOX_READY
    assert len((await shim.call("ListPodSandbox")).items) == 1


async def test_a_server_that_is_killed_at_any_moment_converges(shim: Cri):
    """Whenever it is killed while it makes pods, asking again gives whole pods, and only them."""
    chance = random.Random(4711)
    configs = [shim.sandbox_config() for _ in range(3)]
    await shim.use_pod_range("10.88.7.0/29")  # five addresses: a leak shows
    for _ in range(6):
        attempts = [asyncio.ensure_future(shim.call("RunPodSandbox", config=config)) for config in configs]
        await pause(chance.uniform(0.02, 0.9), "killed at any moment")
        shim.server.kill()
        await asyncio.gather(*attempts, return_exceptions=True)
        shim.server.start()
        made = await asyncio.gather(*(shim.call("RunPodSandbox", config=config) for config in configs))
        ids = {answer.pod_sandbox_id for answer in made}
        listed = (await shim.call("ListPodSandbox")).items
        assert {item.id: item.state for item in listed} == dict.fromkeys(ids, cri.SANDBOX_READY)
        assert len({(await shim.sandbox_status(id_)).network.ip for id_ in ids}) == 3
        await asyncio.gather(*(shim.call("RemovePodSandbox", pod_sandbox_id=id_) for id_ in ids))


async def test_a_name_that_somebody_else_has_taken_is_left_alone(shim: Cri):
    """Containers without our labels do not exist for us, and are not touched."""
    config = shim.sandbox_config()
    meta = config.metadata
    with engine() as client:
        other = client.containers.create(IMAGE, name=f"k8s_POD_{meta.name}_{meta.namespace}_{meta.uid}_0")
        try:
            with pytest.raises(RpcError) as caught:
                await shim.call("RunPodSandbox", config=config)
            assert caught.value.code is Code.ALREADY_EXISTS
            other.reload()
            assert not (await shim.call("ListPodSandbox")).items
        finally:
            other.remove()


async def test_a_sandbox_that_died_is_not_ready(shim: Cri):
    """Whoever killed it."""
    sandbox_id, _ = await shim.run_sandbox()
    with engine() as client:
        client.containers.get(sandbox_id).kill()
    async with asyncio.timeout(60):
        while (await shim.sandbox_status(sandbox_id)).state != cri.SANDBOX_NOTREADY:
            await asyncio.sleep(0.02)


async def test_purge_removes_everything_of_a_cluster(shim: Cri):
    """Containers and their cgroups; it is idempotent."""
    parent = f"/kubarium/{shim.server.cluster}/node-1/pods"
    await shim.run_sandbox(linux=cri.LinuxPodSandboxConfig(cgroup_parent=parent))
    for _ in range(2):
        purge(shim.server)
    with engine() as client:
        filters = {"label": f"kubarium.cluster={shim.server.cluster}"}
        assert client.containers.list(all=True, filters=filters) == []
    # `find` fails where a folder of somebody else goes while it looks.
    assert not output("sh", "-c", f"find /sys/fs/cgroup -maxdepth 3 -name {shim.server.cluster} || true")
    assert not (await shim.call("ListPodSandbox")).items


async def test_the_engine_may_go_away_and_come_back(tmp_path: Path, dockershim: CriServer):
    """Meanwhile everything is UNAVAILABLE and the condition says why; afterwards nothing is stale."""
    path = str(tmp_path / "engine.sock")
    relay = await asyncio.start_unix_server(_relay, path)
    with cri_server("dockershim", path) as server:
        async with connected(server) as client:
            await client.use_pod_range()
            sandbox_id, container = await client.run()
            await client.status(container)
            await _cut(relay, path)
            with pytest.raises(RpcError) as caught:
                await client.call("ListContainers")
            assert caught.value.code is Code.UNAVAILABLE
            conditions = {item.type: item.status for item in (await client.call("Status")).status.conditions}
            assert conditions["RuntimeReady"] is False
            with engine() as second:
                second.containers.get(container).kill()
            relay = await asyncio.start_unix_server(_relay, path)
            assert (await client.status(container)).exit_code == 137
            assert (await client.sandbox_status(sandbox_id)).state == cri.SANDBOX_READY
            stream = client.runtime.GetContainerEvents(cri.GetEventsRequest())
            await stream.begun()
            await client.call("RemoveContainer", container_id=container)
            async with asyncio.timeout(60):
                while (await stream.read()).container_event_type != cri.CONTAINER_DELETED_EVENT:
                    pass
            stream.cancel()
        await asyncio.sleep(0)
    await _cut(relay, path)


_relayed: set[asyncio.StreamWriter] = set()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    other_reader, other_writer = await asyncio.open_unix_connection(DOCKER)
    _relayed.update({writer, other_writer})

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
            target.write_eof()

    await asyncio.gather(carry(reader, other_writer), carry(other_reader, writer))
    for end in (writer, other_writer):
        _relayed.discard(end)
        end.close()


async def _cut(relay: asyncio.Server, path: str) -> None:
    relay.close()
    unlink(path)
    for writer in list(_relayed):
        writer.transport.abort()
    await until(lambda: not _relayed)


def unlink(path: str) -> None:
    """Remove a socket."""
    Path(path).unlink(missing_ok=True)


def output(*command: str) -> bytes:
    """Run a program on the test's machine."""
    return subprocess.run(command, capture_output=True, check=True).stdout


def engine() -> Any:
    """Another client of the engine, for a second opinion."""
    return contextlib.closing(docker.from_env())
