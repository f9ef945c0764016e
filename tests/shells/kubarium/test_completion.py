"""The scripts of `kubarium completion`, in the shells that they are for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from kubarium.core.spec import ClusterSpec
from tests.support.requirements import need

_PROGRAMS = Path(sys.executable).parent
BASH = """
source <(kubarium completion bash)
COMP_LINE={line} COMP_POINT=${{#COMP_LINE}}
_kubarium
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
compdef() {{ :; }}
_describe() {{ print -l -- "${{(@P)2}}"; }}
_files() {{ print files; }}
source <(kubarium completion zsh)
words=({line}); CURRENT=${{#words}}
_kubarium
"""
FISH = "kubarium completion fish | source; complete --do-complete {line}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of one cluster, of two nodes, that does not run."""
    spec = ClusterSpec(name="kubarium", runtime="hollow").with_node().with_node()
    (tmp_path / "kubarium").mkdir()
    (tmp_path / "kubarium" / "spec.json").write_bytes(msgspec.json.encode(spec))
    return tmp_path


def run(home: Path, *command: str) -> list[str]:
    path = f"{_PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "KUBARIUM_HOME": str(home), "PATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_completes_also_behind_an_at_sign(home: Path):
    """Where readline begins a new word, only what follows is inserted."""
    need("bash")
    cases = {
        "kubarium kubec": ["kubeconfig"],
        "kubarium kill kubelet@": ["node-1", "node-2"],
        "kubarium node rm ": ["node-1", "node-2"],
        "kubarium ps --name=": ["kubarium"],
        "kubarium up -f ": [""],
    }
    for line, expected in cases.items():
        assert run(home, "bash", "-c", BASH.format(line=shlex.quote(line))) == expected, line


def test_zsh_completes_with_descriptions(home: Path):
    """Names with what they are; files where nothing is known."""
    need("zsh")
    assert run(home, "zsh", "-fc", ZSH.format(line="kubarium kubec"))[0].startswith(
        "kubeconfig:print the path"
    )
    assert run(home, "zsh", "-fc", ZSH.format(line="kubarium kill kubelet@node-1")) == ["kubelet@node-1:"]
    assert run(home, "zsh", "-fc", ZSH.format(line="kubarium up -f ''")) == ["files"]


def test_fish_completes_with_descriptions(home: Path):
    """Names with what they are."""
    need("fish")
    (found,) = run(home, "fish", "--no-config", "-c", FISH.format(line="'kubarium kubec'"))
    assert found.startswith("kubeconfig\tprint the path")
    found = run(home, "fish", "--no-config", "-c", FISH.format(line="'kubarium kill kubelet@'"))
    assert [each.strip() for each in found] == ["kubelet@node-1", "kubelet@node-2"]
