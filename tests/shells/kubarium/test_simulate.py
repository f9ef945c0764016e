"""`kubarium simulate` on files, with the scheduler's own program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubarium import KubariumError, simulate
from kubarium.cli import main

STATE = """
apiVersion: v1
kind: NodeList
items:
- metadata: {name: node-1, labels: {zone: a}, creationTimestamp: 2026-01-01T00:00:00Z}
  status: {capacity: {cpu: 4, memory: 8Gi, pods: 110}}
- metadata: {name: node-2, labels: {zone: b}}
  status: {capacity: {cpu: "4", memory: 8Gi, pods: "110"}}
---
apiVersion: v1
kind: Pod
metadata: {name: old}
spec:
  nodeName: node-1
  containers: [{name: main, image: app, resources: {requests: {cpu: 3, memory: 1Gi}}}]
"""
PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: app, resources: {limits: {cpu: 1500m, memory: 512Mi}}}]
"""
CONFIG = "{apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration, profiles: [{schedulerName: mine}]}"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, text in (("state.yaml", STATE), ("pods.yaml", PODS), ("config.yaml", CONFIG)):
        (tmp_path / name).write_text(text)
    return tmp_path


def run(files: Path, *more: str) -> int:
    return main(
        ["simulate", "--cluster", str(files / "state.yaml"), "--pods", str(files / "pods.yaml"), *more]
    )


def test_it_prints_who_goes_where_and_why_not(files: Path, capsys: pytest.CaptureFixture[str]):
    """Exit code 1, as pods are left without a node."""
    assert run(files) == 1
    said = capsys.readouterr().out
    assert "default/web-0   node-2" in said
    assert "default/web-2, default/web-3: Unschedulable: 0/2 nodes are available: 2 Insufficient cpu." in said
    assert "node-2   3/4   0% → 75%" in said
    assert "2 pods placed, 2 left without a node; 2 nodes, seed 0" in said


def test_the_same_seed_prints_the_same(files: Path, capsys: pytest.CaptureFixture[str]):
    """Byte for byte, as JSON, too."""
    said = []
    for _ in range(2):
        run(files, "-o", "json", "--seed", "7")
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    found = json.loads(said[0])
    assert [each["node"] for each in found["placements"]] == ["node-2", "node-2", None, None]
    assert found["nodes"][1]["after"]["cpu"] == 3000


def test_a_configuration_of_ones_own_decides(files: Path, capsys: pytest.CaptureFixture[str]):
    """Here nobody has the name that the pods ask for."""
    assert run(files, "--config", str(files / "config.yaml")) == 1
    assert (
        'OtherScheduler: spec.schedulerName is "default-scheduler", which no profile here has'
        in capsys.readouterr().out
    )


OF_WEB = "pods.yaml, document 1 (Deployment default/web): "


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("a: [}", "pods.yaml:1: ", "while parsing"),
        ("kind: Pod", "pods.yaml, document 1: ", "apiVersion: has to be there, as text"),
        ("{apiVersion: v1, kind: Service, metadata: {name: s}}\n---\n" + PODS.replace("replicas: 4", "replicas: many"), OF_WEB.replace("1", "2"), "spec.replicas of type int32"),
        (PODS.replace("replicas: 4", "replicas: -4"), OF_WEB, "spec.replicas: Invalid value: -4: must be greater than or equal to 0"),
        (PODS.replace("1500m", "lots"), OF_WEB, "spec.template.spec.containers[0].resources.limits.cpu: quantities must match"),
        (PODS.replace("resources:", "resorces:"), OF_WEB, 'unknown field "spec.template.spec.containers[0].resorces"'),
        (PODS.replace("apps/v1", "extensions/v1beta1"), OF_WEB, "apiVersion: there is no Deployment of extensions/v1beta1"),
        (PODS + "---" + PODS, "pods.yaml, document 2 (ReplicaSet default/web): ", "there is one already: "),
    ],
)  # fmt: skip
def test_bad_input_is_told_by_file_document_and_field(
    files: Path, text: str, place: str, problem: str, capsys: pytest.CaptureFixture[str]
):
    """In the apiserver's own words where it is what comes; nothing is decided then; exit code 1."""
    (files / "pods.yaml").write_text(text)
    assert run(files) == 1
    said = capsys.readouterr()
    assert place in said.err
    assert problem in said.err
    assert not said.out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (STATE.replace("cpu: 3", "cpu: lots"), "state.yaml, document 2 (Pod default/old): spec.containers[0].resources.requests.cpu: 'lots': "),
        (STATE.replace("name: main", "name: 5"), "state.yaml, document 2 (Pod default/old): spec.containers[0].name: expected `str`, got `int`"),
        (STATE.replace("cpu: 4", "cpu: -4"), "state.yaml, document 1, items[0] (Node node-1): status.capacity.cpu: has to be 0 or more, not -4"),
    ],
)  # fmt: skip
def test_a_state_that_cannot_be_read_is_told_likewise(
    files: Path, text: str, problem: str, capsys: pytest.CaptureFixture[str]
):
    """As far as decisions look at it: it may come from a cluster of another version."""
    (files / "state.yaml").write_text(text)
    assert run(files) == 1
    assert problem in capsys.readouterr().err


def test_a_bad_configuration_is_told_by_its_field(files: Path, capsys: pytest.CaptureFixture[str]):
    """In the scheduler's own words."""
    (files / "config.yaml").write_text(CONFIG.replace("mine", "5"))
    assert run(files, "--config", str(files / "config.yaml")) == 1
    assert "profiles[0].schedulerName" in capsys.readouterr().err


def test_a_missing_file_is_told(files: Path, capsys: pytest.CaptureFixture[str]):
    """By its path."""
    (files / "pods.yaml").unlink()
    assert run(files) == 1
    assert "pods.yaml: No such file or directory" in capsys.readouterr().err


def test_it_is_a_library_call():
    """Objects in, placements out."""
    room = {"cpu": "2", "memory": "1Gi", "pods": "9"}
    cluster = [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}, "status": {"capacity": room}}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "c", "image": "app"}]},
    }
    found = simulate(cluster, [pod])
    assert [(each.name, each.node) for each in found.placed] == [("web", "a")]
    with pytest.raises(KubariumError, match="pods, document 1: kind: has to be there"):
        simulate(cluster, [{"apiVersion": "v1"}])


def test_who_makes_room_is_told(files: Path, capsys: pytest.CaptureFixture[str]):
    """By the priorities of classes; drawn, too."""
    high = "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: 1000}"
    asks = (
        PODS.replace("    spec:", "    spec:\n      priorityClassName: high", 1)
        .replace("1500m", "3")
        .replace("replicas: 4", "replicas: 2")
    )
    assert "priorityClassName" in asks
    (files / "pods.yaml").write_text(asks + "---\n" + high)
    assert run(files, "--html", str(files / "out.html")) == 0
    assert "Taken away:\n  default/old on node-1, for default/web-" in capsys.readouterr().out
    assert "Taken away for pods of higher priority" in (files / "out.html").read_text()


def explain(files: Path, *more: str) -> int:
    return main(["explain", *more, "--cluster", str(files / "state.yaml")])


def test_a_pod_is_explained_node_by_node(files: Path, capsys: pytest.CaptureFixture[str]):
    """Points by plugin, as if it were not there; exit code 0, as it fits."""
    assert explain(files, "pod/old") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [
        "pod default/old requests cpu 3, memory 1Gi; profile default-scheduler",
        "it is on node-1; judged as of now, as if it were not there",
        f"it fits on 2 of 2 nodes; best: node-1, node-2, score {said[5].split()[1]}",
    ]
    assert "NodeResourcesFit x1" in said[9]


def test_what_would_help_a_pod_is_told(files: Path, capsys: pytest.CaptureFixture[str]):
    """For people and for programs; exit code 1, as it fits nowhere."""
    (files / "pods.yaml").write_text(
        STATE.split("---")[1]
        .replace("nodeName: node-1", "")
        .replace("old", "new")
        .replace("cpu: 3", "cpu: 5")
    )
    assert explain(files, "pod/new", "--cluster", str(files / "pods.yaml")) == 1
    assert "  1 node if cpu request ≤ 4 (node-2)\n" in capsys.readouterr().out
    assert explain(files, "pod/default/new", "--cluster", str(files / "pods.yaml"), "-o", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert {"changes": ["cpu request ≤ 1"], "nodes": ["node-1", "node-2"]} in found["hints"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("pod/gone",), "there is no pod default/gone that has not ended"),
        (("netpol",), "netpol needs --from, --to, --port"),
        (("pod/old", "--kubeconfig", "x"), "--cluster and --kubeconfig both name a state"),
    ],
)
def test_what_cannot_be_explained_is_told(
    files: Path, words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
):
    """With what to do."""
    assert explain(files, *words) == 1
    assert problem in capsys.readouterr().err


def test_a_state_is_saved(files: Path, capsys: pytest.CaptureFixture[str]):
    """As one file, which says the same."""
    saved = files / "saved.json"
    assert main(["simulate", "--cluster", str(files / "state.yaml"), "--save", str(saved)]) == 0
    assert saved.stat().st_mode & 0o777 == 0o600
    run(files, "-o", "json")
    before = capsys.readouterr().out.partition("\n")[2]
    main(["simulate", "--cluster", str(saved), "--pods", str(files / "pods.yaml"), "-o", "json"])
    assert before == capsys.readouterr().out


def test_how_many_more_fit_is_counted(files: Path, capsys: pytest.CaptureFixture[str]):
    """Of each workload, whatever its number of replicas."""
    assert run(files, "--how-many") == 0
    assert (
        "Deployment default/web   2          node-2 2   0/2 nodes are available: 2 Insufficient cpu"
        in capsys.readouterr().out
    )
    assert run(files, "--how-many", "-o", "json") == 0
    [found] = json.loads(capsys.readouterr().out)["howMany"]
    assert (found["replicas"], found["nodes"]) == (2, {"node-2": 2})


def test_which_node_can_go_is_tried(files: Path, capsys: pytest.CaptureFixture[str]):
    """Each alone, and together."""
    assert main(["simulate", "--cluster", str(files / "state.yaml"), "--which-can-go"]) == 0
    said = capsys.readouterr().out
    assert "node-1   no       -              default/old: no controller would make it again" in said
    assert "1 of 2 nodes can go alone; together 1: node-2" in said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (PODS.replace("Deployment", "DaemonSet"), "(DaemonSet default/web): has one pod on each node, so there is nothing to count"),
        ("{apiVersion: v1, kind: Service, metadata: {name: web}}", "nothing of what comes stands for pods"),
    ],
)  # fmt: skip
def test_what_cannot_be_counted_is_told(
    files: Path, text: str, problem: str, capsys: pytest.CaptureFixture[str]
):
    """By its place."""
    (files / "pods.yaml").write_text(text)
    assert run(files, "--how-many") == 1
    assert problem in capsys.readouterr().err


ROOT = Path(__file__).parents[3]


def _printed() -> list[tuple[str, str]]:
    """Return the commands of the document with what it prints of each."""
    blocks = (ROOT / "docs" / "simulate.md").read_text().split("```console\n")[1:]
    commands = "".join(each.partition("```")[0] for each in blocks).split("$ kubarium ")[1:]
    return [(command, printed) for command, _, printed in (each.partition("\n") for each in commands)]


@pytest.mark.parametrize(("command", "printed"), _printed())
def test_the_document_prints_what_is_printed(
    command: str, printed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Of `examples/simulate`, word for word."""
    monkeypatch.chdir(ROOT)
    main(command.split())
    assert capsys.readouterr().out == printed
