"""The `kubarium` command as a user types it, and what each component's own command line says."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from kubarium import remains
from kubarium.core.layout import Layout
from kubarium.supervisor.protocol import call
from machinery.process.config import ComponentConfig, flag
from tests.support.kubectl import Kubectl, Outcome, eventually
from tests.support.ports import free_port
from tests.support.requirements import need

pytestmark = pytest.mark.cluster

PROGRAM = str(Path(sys.executable).parent / "kubarium")
CONFIGS = {
    "apiserver": "ApiserverConfig",
    "scheduler": "SchedulerConfig",
    "controllers": "ControllersConfig",
    "kubelet": "KubeletConfig",
    "dockershim": "DockershimConfig",
    "hollow": "HollowConfig",
    "proxy": "ProxyConfig",
}
COMMANDS = [
    [],
    *(
        [name]
        for name in [
            "up",
            "down",
            "ps",
            "logs",
            "kill",
            "stop",
            "start",
            "pause",
            "resume",
            "restart",
            "node",
            "load",
            "kubeconfig",
            "use",
            "completion",
            "ls",
        ]
    ),
    *(["node", action] for action in ("add", "rm", "ls")),
]


@dataclass(frozen=True)
class Shell:
    """A shell whose clusters live in a folder of their own."""

    home: Path

    def run(self, *arguments: str, **environment: str) -> Outcome:
        """Type a command."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def __call__(self, *arguments: str) -> str:
        """Type a command that has to work; give what it prints."""
        outcome = self.run(*arguments)
        assert (outcome.code, outcome.err) == (0, ""), outcome
        return outcome.out

    def fails(self, *arguments: str, **environment: str) -> str:
        """Type a command that cannot be carried out: one line says why, without a traceback."""
        outcome = self.run(*arguments, **environment)
        assert outcome.code == 1, outcome
        assert len(outcome.err.splitlines()) == 1, outcome.err
        assert outcome.err.startswith("kubarium: ")
        assert "Traceback" not in outcome.err + outcome.out
        return outcome.err

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "KUBARIUM_HOME": str(self.home), "PATH": path}

    def states(self) -> dict[str, str]:
        """Return each component's state."""
        return {row["name"]: row["state"] for row in json.loads(self("ps", "--json"))}


@pytest.fixture(scope="module")
def bare() -> Iterator[Shell]:
    """No cluster, and no need of one."""
    home = Path(tempfile.mkdtemp(prefix="kb-", dir="/tmp"))
    yield Shell(home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Shell, str]]:
    """A running cluster of one node, and what `up` said of it."""
    need("etcd")
    shell = Shell(Path(tempfile.mkdtemp(prefix="kb-", dir="/tmp")))
    try:
        yield shell, shell("up", "--nodes", "1", "--runtime", "hollow")
    finally:
        shell.run("down", "--all")
        shutil.rmtree(shell.home, ignore_errors=True)


@pytest.fixture(scope="module")
def shell(running: tuple[Shell, str]) -> Shell:
    """Where the cluster runs."""
    return running[0]


def test_up_says_how_to_go_on(running: tuple[Shell, str]):
    """Where the kubeconfig is, how to look, how to end it."""
    shell, said = running
    assert re.search(r'Cluster "kubarium" is up after [0-9.]+ s: 1 node, hollow runtime, https://', said)
    lines = [line.strip() for line in said.splitlines()]
    kubeconfig = f"{shell.home}/kubarium/kubeconfig"
    commands = [f"export KUBECONFIG={kubeconfig}", "kubectl get nodes", "kubarium ps", "kubarium down"]
    assert lines[-4:] == commands
    assert shell("kubeconfig").strip() == kubeconfig
    assert Path(kubeconfig).stat().st_mode & 0o777 == 0o600


def test_what_up_says_works(running: tuple[Shell, str]):
    """The node is there for kubectl."""
    need("kubectl")
    kubectl = Kubectl(Path(running[0]("kubeconfig").strip()))
    assert kubectl("get", "nodes", "-o", "name").split() == ["node/node-1"]


def test_a_second_up_says_that_it_runs(shell: Shell):
    """And how to go on, and leaves every process as it is."""
    before = [(row["name"], row["pid"]) for row in json.loads(shell("ps", "--json"))]
    said = shell("up")
    assert 'cluster "kubarium" is already running' in said
    assert "export KUBECONFIG=" in said
    assert [(row["name"], row["pid"]) for row in json.loads(shell("ps", "--json"))] == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--cpu abc", "--cpu: "),
        ("--time-scale -1", "--time-scale: "),
        ("--profile fast", "--profile fast (it has default)"),
        ("--runtime docker", "--runtime docker (it has hollow)"),
        ("--nodes 0", "--nodes 0 (it has 1); `kubarium node rm` removes one"),
    ],
)
def test_options_that_a_running_cluster_does_not_have_are_refused(shell: Shell, arguments: str, words: str):
    """By name; nothing is changed."""
    before = shell("node", "ls")
    assert words in shell.fails("up", *arguments.split())
    assert shell("node", "ls") == before


def test_more_nodes_are_added_to_a_running_cluster(shell: Shell):
    """With what the others declare, and `up` returns when they are Ready."""
    said = shell("up", "--nodes", "2")
    assert re.search(r"^node-\d+ was added$", said, re.MULTILINE)
    name = shell("node", "ls").splitlines()[-1].split()[0]
    assert f"{name} is Ready" in said
    shell("node", "rm", name)


def test_under_another_home_the_cluster_is_that_of_the_other_folder(shell: Shell, tmp_path: Path):
    """Where both reach the same socket: the folder is named, and nothing of it is touched."""
    (tmp_path / "run").symlink_to(shell.home / "run")
    before = shell("ps", "--json")
    for command in (["up", "--runtime", "hollow"], ["ps"], ["kill", "scheduler"], ["down"]):
        refused = shell.fails(*command, KUBARIUM_HOME=str(tmp_path))
        assert f"of another folder is on this machine, {shell.home}/kubarium" in refused, command
    pids = [[row["pid"] for row in json.loads(said)] for said in (before, shell("ps", "--json"))]
    assert pids[0] == pids[1]


def test_where_kubarium_is_not_on_the_path_up_says_where_it_is(shell: Shell):
    """Else the commands that it names would not be found."""
    folder = str(Path(PROGRAM).parent)
    others = (
        entry for entry in os.environ["PATH"].split(os.pathsep) if not (Path(entry) / "kubarium").exists()
    )
    outcome = shell.run("up", PATH=os.pathsep.join(others))
    assert outcome.code == 0, outcome
    assert f"  export PATH={folder}:$PATH\n  kubectl get nodes\n" in outcome.out
    assert "export PATH=" not in shell("up")


def test_ps_lists_what_a_user_wants_to_know(shell: Shell):
    """One line a process, with live numbers."""
    head, *rows = shell("ps").splitlines()
    assert re.split(r"\s{2,}", head) == [
        "COMPONENT",
        "STATE",
        "PID",
        "UPTIME",
        "RESTARTS",
        "CPU",
        "MEMORY",
        "LAST EXIT",
    ]
    cells = {row.split()[0]: row.split() for row in rows}
    expected = {"etcd", "apiserver", "scheduler", "controllers", "hollow@node-1", "kubelet@node-1"}
    assert set(cells) >= expected
    _, state, pid, uptime, restarts, cpu, memory, last_exit = cells["apiserver"]
    assert (state, restarts, last_exit) == ("ready", "0", "-")
    assert Path(f"/proc/{pid}").exists()
    assert re.fullmatch(r"\d+[smhd]", uptime)
    assert re.fullmatch(r"\d+\.\d+s", cpu)
    assert re.fullmatch(r"\d+\.\d+Mi", memory)


def test_clusters_are_listed(shell: Shell):
    """Name, state, runtime, nodes and address."""
    head, row = shell("ls").splitlines()
    assert head.split() == ["CLUSTER", "STATE", "RUNTIME", "NODES", "API"]
    assert row.split()[:3] == ["kubarium", "running", "hollow"]
    assert row.split()[-1].startswith("https://127.0.0.1:")


@pytest.mark.parametrize("component", ["apiserver", "kubelet@node-1"])
def test_logs_are_printed(shell: Shell, component: str):
    """A component's events."""
    assert shell("logs", component).strip()


def test_logs_of_all_components_are_one_story(shell: Shell, tmp_path: Path):
    """Each line with its component; of each the last ones, or the newest; or the files themselves."""
    said = shell("logs").splitlines()
    names = {line.split(" | ")[0].strip() for line in said}
    assert {"apiserver", "scheduler", "kubelet@node-1"} <= names
    counts = Counter(line.split(" | ")[0].strip() for line in shell("logs", "--tail", "2").splitlines())
    assert set(counts.values()) <= {1, 2}
    assert len(shell("logs", "--tail", "1", "scheduler").splitlines()) == 1
    assert {
        line.split(" | ")[0].strip() for line in shell("logs", "apiserver", "scheduler").splitlines()
    } == {"apiserver", "scheduler"}
    since = shell("logs", "--since", "1000d", "scheduler")
    assert since
    assert shell("logs", "scheduler").startswith(since)  # it may have said more meanwhile
    shell("logs", "--export", str(tmp_path / "logs"))
    assert (tmp_path / "logs" / "scheduler.log").read_text().startswith("time=")


@pytest.mark.parametrize("command", ["ps", "ls", "node ls"])
def test_every_listing_is_there_for_programs(shell: Shell, command: str):
    """As JSON, and as names alone, in the order of the table."""
    rows = [row.split()[0] for row in shell(*command.split()).splitlines()[1:]]
    assert [each["name"] for each in json.loads(shell(*command.split(), "--output", "json"))] == rows
    assert shell(*command.split(), "-o", "name").split() == rows


def test_several_components_in_one_command(shell: Shell):
    """All of them, or none where one is not there."""
    assert shell("stop", "scheduler", "controllers").split("\n")[:2] == [
        "scheduler stopped",
        "controllers stopped",
    ]
    shell("restart", "scheduler", "controllers")
    assert 'no component "nobody"' in shell.fails("stop", "scheduler", "nobody")
    eventually(
        lambda: {shell.states()[name] for name in ("scheduler", "controllers")} == {"ready"}, timeout_s=120
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_logs_are_followed_until_it_is_ended(shell: Shell, number: signal.Signals, code: int):
    """What a component says appears as it says it; Ctrl-C ends it without a word."""
    following = subprocess.Popen(  # whoever started these tests in the background may have them ignore Ctrl-C
        ["env", "--default-signal=INT", PROGRAM, "logs", "-f", "scheduler"],
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert following.stdout is not None
        known = len(shell("logs", "scheduler").splitlines())
        for _ in range(known):
            following.stdout.readline()
        pid = next(row["pid"] for row in json.loads(shell("ps", "--json")) if row["name"] == "scheduler")
        shell("restart", "scheduler")
        new = "".join(following.stdout.readline() for _ in range(3))
        assert new.strip()
        assert pid
        following.send_signal(number)
        _, errors = following.communicate(timeout=60)
    finally:
        following.kill()
        following.communicate()
    assert (following.returncode, errors) == (code, "")


def test_nodes_are_added_listed_and_removed(shell: Shell):
    """A node declares what it is told to, and is gone when it is taken out."""
    assert re.search(
        r"^two is Ready after [0-9.]+ s$",
        shell("node", "add", "two", "--cpu", "500m", "--memory", "256Mi"),
        re.MULTILINE,
    )
    head, *rows = shell("node", "ls").splitlines()
    assert head.split() == ["NODE", "ADDRESS", "CPU", "MEMORY", "PROCESSES"]
    two = next(row for row in rows if row.startswith("two"))
    assert re.split(r"\s{2,}", two)[2:4] == ["500m", "256Mi"]
    eventually(lambda: "kubelet ready" in shell("node", "ls").splitlines()[-1], what="its kubelet")
    assert "already has a node" in shell.fails("node", "add", "two")
    assert shell("node", "rm", "two").strip() == "two is gone"
    assert "two" not in shell("node", "ls")


def test_a_node_has_the_labels_taints_and_zone_that_it_is_added_with(shell: Shell):
    """In the API, from its registration on."""
    need("kubectl")
    assert "has to be one of debug" in shell.fails("node", "add", "marked", "--kubelet-arg", "log-level=loud")
    marks = ("--label", "tier=gold", "--zone", "east", "--taint", "gpu=yes:NoSchedule")
    shell("node", "add", "marked", *marks, "--kubelet-arg", "log-level=debug")
    node = Kubectl(Path(shell("kubeconfig").strip())).get("node", "marked")
    labels = {"tier": "gold", "topology.kubernetes.io/zone": "east"}
    assert node["metadata"]["labels"].items() >= labels.items()
    assert {"key": "gpu", "value": "yes", "effect": "NoSchedule"} in node["spec"]["taints"]
    listed = json.loads(shell("node", "ls", "--output", "json"))[-1]
    assert (listed["labels"], listed["taints"]) == (labels, ["gpu=yes:NoSchedule"])
    assert listed["kubelet_args"] == {"log-level": "debug"}
    assert "--label tier=gold (node-1 does not have it)" in shell.fails("up", "--label", "tier=gold")
    shell("node", "rm", "marked")


def test_without_an_apiserver_a_node_is_neither_added_nor_removed(shell: Shell):
    """At once, with what to do; nothing is changed, and it works when one is back. Frozen is as good as down."""
    shell("node", "add", "three")
    eventually(lambda: set(shell.states().values()) == {"ready"}, timeout_s=120)
    before = shell("node", "ls")
    for down, back in (("kill", "restart"), ("pause", "resume")):
        shell(down, "apiserver")
        try:
            for command in (["add", "four"], ["rm", "three"]):
                refused = shell.fails("node", *command)
                assert 'no apiserver of cluster "kubarium" answers' in refused
                assert "nothing was changed" in refused
        finally:
            shell(back, "apiserver")
    eventually(lambda: shell.states()["apiserver"] == "ready", timeout_s=120)
    assert shell("node", "ls") == before
    assert shell("node", "rm", "three").strip() == "three is gone"


def test_a_removal_that_was_broken_off_is_finished_by_another(shell: Shell):
    """The machine is off and out of the spec, its Node object is still there."""
    need("kubectl")
    shell("node", "add", "five")
    layout = Layout(shell.home / "kubarium", shell.home / "run" / "kubarium")
    call(layout.control, "node_rm", name="five")
    kubectl = Kubectl(layout.kubeconfig)
    assert "node/five" in kubectl("get", "nodes", "-o", "name")
    assert shell("node", "rm", "five").strip() == "five is gone"
    assert "node/five" not in kubectl("get", "nodes", "-o", "name")
    assert 'no node "five"' in shell.fails("node", "rm", "five")
    assert 'no node "../.."' in shell.fails("node", "rm", "../..")


def test_up_without_waiting_does_not_say_that_it_is_up(bare: Shell):
    """And where it waits in vain it says what goes on, and how to see and end it."""
    need("etcd")
    try:
        said = bare("up", "--name", "early", "--nodes", "1", "--runtime", "hollow", "--no-wait")
        assert "is up" not in said
        assert 'Cluster "early" is starting' in said
        bare("down", "--name", "early")
        late = bare.fails("up", "--name", "early", "--nodes", "1", "--runtime", "hollow", "--timeout", "0.01")
        assert "goes on running: `kubarium ps --name early` lists it" in late
        assert "`kubarium down --name early` ends it" in late
    finally:
        bare.run("down", "--name", "early")


def test_a_component_is_killed_and_brought_back(shell: Shell):
    """It stays down until `restart`; with --restart it is back by itself."""
    assert shell("kill", "controllers").strip() == "controllers killed"
    assert shell.states()["controllers"] == "stopped"
    assert "kubarium restart controllers" in shell.fails("pause", "controllers")
    assert shell("restart", "controllers").strip() == "controllers restarted"
    eventually(lambda: shell.states()["controllers"] == "ready", timeout_s=120)
    before = json.loads(shell("ps", "--json"))
    shell("kill", "--restart", "controllers")

    def back() -> bool:
        row = next(row for row in json.loads(shell("ps", "--json")) if row["name"] == "controllers")
        old = next(row for row in before if row["name"] == "controllers")
        return row["state"] == "ready" and row["restarts"] == old["restarts"] + 1

    eventually(back, timeout_s=120, what="controllers back")
    assert shell("stop", "scheduler").strip() == "scheduler stopped"
    shell("restart", "scheduler")
    eventually(lambda: shell.states()["scheduler"] == "ready", timeout_s=120)


def test_a_component_is_paused_and_resumed(shell: Shell):
    """Frozen, it is there and paused; then it goes on with the same pid."""
    assert shell("pause", "hollow@node-1").strip() == "hollow@node-1 paused"
    assert shell.states()["hollow@node-1"] == "paused"
    pid = next(row["pid"] for row in json.loads(shell("ps", "--json")) if row["name"] == "hollow@node-1")
    assert "\nState:\tT" in Path(f"/proc/{pid}/status").read_text()
    assert shell("resume", "hollow@node-1").strip() == "hollow@node-1 resumed"
    assert shell.states()["hollow@node-1"] == "ready"
    assert "\nState:\tT" not in Path(f"/proc/{pid}/status").read_text()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("kill nobody", 'no component "nobody" (it has: etcd, '),
        ("stop nobody", 'no component "nobody"'),
        ("stop scheduler nobody", 'no component "nobody"'),
        ("restart nobody", 'no component "nobody"'),
        ("logs nobody", 'no component "nobody"'),
        ("logs ../../etc/passwd", "no component"),
        ("node rm nowhere", 'no node "nowhere" (it has: node-1)'),
        ("node add Not_A_Name", "node name"),
        ("node add --cpu lots", "--cpu: "),
        ("node add --taint gpu", "--taint: "),
        ("node add --label kubernetes.io/os=x", "--label: "),
        ("node add --memory 12Q", "--memory: "),
    ],
)
def test_what_is_not_there_or_makes_no_sense_is_named(shell: Shell, command: str, words: str):
    """One line says what, and what there is instead; nothing is changed."""
    before = shell("node", "ls")
    assert words in shell.fails(*command.split())
    assert shell("node", "ls") == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--name Not_A_Name", "--name: "),
        ("--name ../outside", "--name: "),
        ("--cpu lots", "--cpu: "),
        ("--memory 1Zi", "--memory: "),
        ("--time-scale 0", "--time-scale: "),
        ("--time-scale -1", "--time-scale: "),
        ("--time-scale nan", "--time-scale: "),
        ("--time-scale 1e9", "--time-scale: "),
        ("--nodes 1000", "--nodes: "),
        ("--api-port 70000", "--api-port: "),
        ("--timeout -1", "--timeout: "),
        ("--name run", "--name: "),
    ],
)
def test_a_cluster_that_cannot_be_is_not_begun(bare: Shell, arguments: str, words: str):
    """The flag is named, and no file is left."""
    assert words in bare.fails("up", "--runtime", "hollow", *arguments.split())
    assert [path.name for path in bare.home.iterdir() if path.name not in {".locks", "run"}] == []


@pytest.mark.parametrize(
    "arguments",
    [
        "up --nodes many",
        "up --etcd many",
        "up --api-port x",
        "down --all --own",
        "logs --since yesterday",
        "logs --tail -1",
        "up --nodes -1",
        "up --time-scale fast",
        "up --runtime rkt",
        "up --profile slow",
        "fly",
        "kill",
        "",
    ],
)
def test_wrong_usage_is_told_with_the_usage(bare: Shell, arguments: str):
    """Exit code 2; the flag is named."""
    outcome = bare.run(*arguments.split())
    assert outcome.code == 2
    assert outcome.err.startswith("usage: kubarium")
    assert "Traceback" not in outcome.err
    for word in arguments.split():
        if word.startswith("--"):
            assert word in outcome.err.splitlines()[-1]


def test_a_port_that_is_taken_is_named(bare: Shell):
    """With what it was meant for, and what to do."""
    need("etcd")
    for _ in range(5):  # others of the machine may have taken one of the next three ports
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            said = bare.fails("up", "--runtime", "hollow", "--api-port", port)
        if f"port {port} on" in said:
            break
    assert f"port {port} on 127.0.0.1, meant for the REST door of apiserver" in said
    assert "--api-port N" in said


def test_without_etcd_it_says_what_to_install(bare: Shell, tmp_path: Path):
    """Before anything is started."""
    said = bare.fails("up", "--runtime", "hollow", PATH=str(tmp_path))
    assert "`etcd` is not installed: apt-get install etcd-server" in said


@pytest.mark.parametrize(
    "command", ["ps", "down", "kubeconfig", "node ls", "kill scheduler", "logs scheduler"]
)
def test_a_cluster_that_is_not_there_is_named(bare: Shell, command: str):
    """Whatever is asked of it."""
    assert '"away"' in bare.fails(*command.split(), "--name", "away")


def test_no_clusters_are_an_empty_list(bare: Shell):
    """`ls` and `down --all` have nothing to do, which is no error."""
    assert bare("ls").split() == ["CLUSTER", "STATE", "RUNTIME", "NODES", "API"]
    assert bare("down", "--all") == ""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(bare: Shell, command: list[str]):
    """Each flag and argument with a word on what it means."""
    said = bare(*command, "--help")
    assert said.startswith(" ".join(["usage: kubarium", *command]))
    _, *parts = re.split(r"\n(?=  \S)", said)
    assert parts
    assert all(re.search(r"\S(\s{2,}|\n\s+)\S", part.strip()) for part in parts), said


@pytest.mark.parametrize("component", CONFIGS)
def test_components_explain_their_flags(component: str):
    """All of them, with meaning and, where it is a measure, unit."""
    done = _component(component, "--help")
    assert done.code == 0
    said = " ".join(done.out.split())
    for field in _fields(component):
        meaning = field.metadata["help"]
        assert flag(field.name) in said
        assert meaning.split(" [")[0].split("-")[0] in said.replace("- ", "-"), field.name
        if field.name.endswith("_s"):
            assert re.search(r"\[(wall|cluster) seconds\]", meaning), field.name


@pytest.mark.parametrize("component", CONFIGS)
@pytest.mark.parametrize(
    "argument", ["--time-scale=fast", "--profile=slow", "--cert-file=/nowhere", "--no-such-flag=1"]
)
def test_components_refuse_a_bad_flag_by_name(component: str, argument: str):
    """Exit code 2 before anything is opened, and one line that names the flag."""
    needed = ["--node-name=n"] if component == "proxy" else []
    done = _component(component, *needed, argument)
    assert done.code == 2
    assert argument.split("=", maxsplit=1)[0] in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def _component(component: str, *arguments: str) -> Outcome:
    command = [sys.executable, "-m", component, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def _fields(component: str) -> list[dataclasses.Field]:
    config: type[ComponentConfig] = getattr(import_module(f"{component}.config"), CONFIGS[component])
    return list(dataclasses.fields(config))


def test_two_ups_at_once_start_one_cluster(bare: Shell):
    """The second one waits for the first, says for whom, and finds it running; `down` leaves no process."""
    need("etcd")
    command = [PROGRAM, "up", "--name", "once", "--nodes", "1", "--runtime", "hollow"]
    both = [
        subprocess.Popen(
            command, env=bare.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        said = sorted(
            (each.communicate(timeout=120) for each in both), key=lambda words: "waiting for" in words[0]
        )
        assert [each.returncode for each in both] == [0, 0], said
        assert "is up after" in said[0][0]
        assert 'cluster "once" is already running' in said[1][0]
        assert "is up after" not in said[1][0]
        supervisors = [each for each in _processes_of(bare.home / "once") if each.is_supervisor]
        assert len(supervisors) == 1
    finally:
        bare.run("down", "--name", "once")
    assert _processes_of(bare.home / "once") == []


def test_a_cluster_is_stopped_and_started_with_its_state(bare: Shell):
    """No process runs meanwhile; objects and nodes are as they were, and its logs can be read."""
    need("etcd", "kubectl")
    bare("up", "--name", "kept", "--nodes", "1", "--runtime", "hollow")
    try:
        kubectl = Kubectl(bare.home / "kept" / "kubeconfig")
        kubectl("create", "configmap", "mine", "--from-literal=a=b")
        boot = kubectl.get("node", "node-1")["status"]["nodeInfo"]["bootID"]
        assert 'Cluster "kept" is stopped' in bare("stop", "--name", "kept")
        assert _processes_of(bare.home / "kept") == []
        row = next(row for row in bare("ls").splitlines() if row.startswith("kept"))
        assert "not running" in row
        assert bare("logs", "--name", "kept", "--tail", "1", "scheduler")
        assert 'Cluster "kept" is up' in bare("start", "--name", "kept")
        assert kubectl.get("configmap", "mine")["data"] == {"a": "b"}
        assert kubectl.get("node", "node-1")["status"]["nodeInfo"]["bootID"] != boot
    finally:
        bare.run("down", "--name", "kept")
    assert 'there is no cluster "kept"' in bare.fails("start", "--name", "kept")
    assert 'there is no cluster "kept"' in bare.fails("stop", "--name", "kept")


def test_down_ends_what_a_killed_supervisor_left(bare: Shell):
    """Every process that bears the cluster's folder, also without records; it says which."""
    need("etcd", "docker-registry")
    port = str(free_port())
    bare("up", "--name", "orphan", "--nodes", "1", "--runtime", "hollow", "--registry", port)
    home = bare.home / "orphan"
    supervisor = next(each for each in _processes_of(home) if each.is_supervisor)
    os.kill(supervisor.pid, signal.SIGKILL)
    shutil.rmtree(home)
    left = {each.name for each in _processes_of(home)} - {supervisor.name}
    assert {"etcd", "apiserver", "scheduler", "docker-registry"} <= left
    said = bare("down", "--name", "orphan")
    assert "ended what nobody had stopped: " in said
    # Those that can end by themselves meanwhile need not be named.
    assert all(f"{name} (pid " in said for name in ("etcd", "apiserver", "scheduler", "docker-registry"))
    assert _processes_of(home) == []


def test_down_ends_what_a_frozen_supervisor_has(bare: Shell):
    """One that does not answer is no reason to leave anything."""
    need("etcd")
    bare("up", "--name", "frozen", "--nodes", "0", "--runtime", "hollow")
    home = bare.home / "frozen"
    supervisor = next(each for each in _processes_of(home) if each.is_supervisor)
    os.kill(supervisor.pid, signal.SIGSTOP)
    assert "runs and does not answer" in bare.fails("up", "--name", "frozen", "--runtime", "hollow")
    assert "the supervisor does not answer" in bare("down", "--name", "frozen")
    assert _processes_of(home) == []


def _processes_of(home: Path) -> list[remains.Process]:
    return [each for each in remains.processes() if each.home == str(home)]


def test_a_cluster_file_is_brought_up(bare: Shell):
    """The example, with its nodes as they are described; what is said beside it wins, and a second `up` agrees."""
    need("etcd", "kubectl")
    example = str(Path(__file__).parents[2] / "examples" / "cluster.yaml")
    said = bare("up", "-f", example, "--runtime", "hollow", "--schedulers", "1")
    try:
        assert 'Cluster "shop" is up' in said
        assert "kubarium down --name shop" in said
        kubectl = Kubectl(bare.home / "shop" / "kubeconfig")
        node = kubectl.get("node", "big")
        assert (
            node["metadata"]["labels"].items()
            >= {"tier": "gold", "topology.kubernetes.io/zone": "west"}.items()
        )
        assert node["status"]["capacity"]["cpu"] == "2"
        names = {row["name"] for row in json.loads(bare("ps", "--name", "shop", "-o", "json"))}
        assert {"scheduler", "controllers-2", "kubelet@node-2"} <= names
        assert "already running" in bare("up", "-f", example, "--runtime", "hollow", "--schedulers", "1")
        assert "--schedulers 2 (it has 1)" in bare.fails("up", "-f", example)
        assert "cannot be read" not in bare.fails("up", "-f", str(bare.home / "none.yaml"))
    finally:
        bare.run("down", "--name", "shop")


def test_kubectl_and_kubarium_use_the_cluster_that_they_are_told_to(shell: Shell, tmp_path: Path):
    """Without --name and without KUBECONFIG, until the cluster goes."""
    need("etcd", "kubectl")
    shell("up", "--name", "other", "--nodes", "0", "--runtime", "hollow")
    try:
        assert 'there is no cluster "nowhere"' in shell.fails("use", "nowhere")
        assert shell("use").strip() == "kubarium"
        merged = shell.run("use", "other", "--merge", HOME=str(tmp_path), KUBECONFIG="")
        assert merged.code == 0, merged
        assert shell("kubeconfig").strip() == f"{shell.home}/other/kubeconfig"
        kubectl = Kubectl(tmp_path / ".kube" / "config")
        assert kubectl("config", "current-context").strip() == "kubarium-other"
        assert "default" in kubectl("get", "namespaces", "-o", "name")
    finally:
        shell("down", "--name", "other")
    assert kubectl("config", "get-contexts", "-o", "name") == ""
    assert shell("kubeconfig").strip() == f"{shell.home}/kubarium/kubeconfig"


def test_down_leaves_nothing(shell: Shell):
    """No process, no file; what was printed says so. Runs last: it ends the module's cluster."""
    pids = [row["pid"] for row in json.loads(shell("ps", "--json")) if row["pid"]]
    assert 'Cluster "kubarium" is gone.' in shell("down", "--own")
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not (shell.home / "kubarium").exists()
    assert len(shell("ls").splitlines()) == 1
    assert '"kubarium"' in shell.fails("down")
