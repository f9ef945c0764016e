"""The wheel, installed beside packages of other people that have the names of our programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubarium.import_path import PROGRAMS
from tests.support.kubectl import eventually
from tests.support.requirements import find_uv, need

pytestmark = [pytest.mark.cluster, pytest.mark.etcd]

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = 'raise ImportError("somebody else\'s package was imported")\n'


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and a folder for the clusters that are started from it."""

    folder: Path
    home: Path

    @property
    def packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.folder / "lib" / version / "site-packages"

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "KUBARIUM_HOME": str(self.home)}
        environment.pop("PYTHONPATH", None)
        return subprocess.run(
            [str(self.folder / "bin" / "python"), *arguments],
            env=environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    need("uv")
    folder = tmp_path_factory.mktemp("wheel")
    command = [find_uv() or "uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, timeout=250)
    return next(folder.glob("*.whl"))


@pytest.fixture
def environment(wheel: Path, tmp_path: Path) -> Iterator[Environment]:
    """Our wheel, what it depends on, and a package of somebody else for each of our programs' names."""
    need("etcd")
    home = Path(tempfile.mkdtemp(prefix="kb-", dir="/tmp"))
    made = Environment(tmp_path / "venv", home)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made.folder)], check=True)
    with zipfile.ZipFile(wheel) as file:
        file.extractall(made.packages)
    (made.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for name in PROGRAMS:
        (made.packages / name).mkdir()
        (made.packages / name / "__init__.py").write_text(FOREIGN)
    try:
        yield made
    finally:
        made.run("-m", "kubarium", "down", cwd=tmp_path)
        shutil.rmtree(home, ignore_errors=True)


def test_a_cluster_starts_beside_packages_of_the_same_names(environment: Environment, tmp_path: Path):
    """Also from a folder that has one of these names in it; each program of the control plane is ours, and Ready."""
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler" / "__init__.py").write_text(FOREIGN)
    up = environment.run("-m", "kubarium", "up", "--runtime", "hollow", "--nodes", "1", cwd=tmp_path)
    assert up.returncode == 0, up.stdout + up.stderr
    programs = ["etcd", "apiserver", "scheduler", "controllers", "hollow@node-1", "kubelet@node-1"]

    def states() -> dict[str, str]:
        listed = environment.run("-m", "kubarium", "ps", cwd=tmp_path).stdout.splitlines()[1:]
        return {line.split()[0]: line.split()[1] for line in listed}

    eventually(lambda: states() == dict.fromkeys(programs, "ready"), what="each program is ready")
    helped = environment.run("-m", "kubarium.program", "proxy", "--help", cwd=tmp_path)
    assert "--cluster-cidr" in helped.stdout


def test_a_foreign_package_that_is_there_first_is_named(environment: Environment, tmp_path: Path):
    """Here one that Python imports at every start, before anybody can say what comes first."""
    foreign = environment.packages / "proxy" / "__init__.py"
    foreign.write_text("")
    (environment.packages / "early.pth").write_text("import proxy\n")
    up = environment.run("-m", "kubarium", "up", "--runtime", "hollow", "--nodes", "1", cwd=tmp_path)
    assert up.returncode == 1
    assert f"`import proxy` means {foreign} here" in up.stderr


def test_a_users_own_imports_are_left_alone(environment: Environment, tmp_path: Path):
    """Who imports the handle still gets their own `scheduler`; types are shipped."""
    (environment.packages / "scheduler" / "__init__.py").write_text("NAME = 'theirs'\n")
    code = "import kubarium; kubarium.Cluster; import scheduler; print(scheduler.NAME)"
    assert environment.run("-c", code, cwd=tmp_path).stdout == "theirs\n"
    marks = {path.parent.name for path in (environment.packages / "kubarium").rglob("py.typed")}
    assert marks == {"kubarium", *PROGRAMS}
    assert (environment.packages / "machinery" / "py.typed").exists()


def test_a_simulation_runs_without_a_cluster(environment: Environment, tmp_path: Path):
    """By the installed scheduler and apiserver, whoever else has packages of these names."""
    examples = ROOT / "examples" / "simulate"
    files = ("--cluster", str(examples / "state.yaml"), "--pods", str(examples / "pods.yaml"))
    done = environment.run("-m", "kubarium", "simulate", *files, cwd=tmp_path)
    assert "8 pods placed, 2 left without a node" in done.stdout, done.stderr
