"""Packages with scheduler plugins, installed into a folder as an installer does it, without a network."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from scheduler.own_plugins import GROUP
from tests.support.sources import ROOT

EXAMPLE = ROOT / "examples" / "scheduler-plugins"
CONFIGURATION = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def install(folder: Path, package: str, modules: Mapping[str, str], plugins: Mapping[str, str]) -> None:
    """Put modules (their text, by name) and the package's entry points into a folder."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    points = "".join(f"{name} = {where}\n" for name, where in plugins.items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{points}")


def install_example(folder: Path) -> None:
    """Install examples/scheduler-plugins."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    modules = {path.stem: path.read_text() for path in EXAMPLE.glob("*.py")}
    install(folder, project["name"].replace("-", "_"), modules, project["entry-points"][GROUP])


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Have Python find what is installed in a folder, and forget it afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        try:
            yield
        finally:
            for name in {path.stem for path in folder.glob("*.py")} & sys.modules.keys():
                del sys.modules[name]


def configuration(folder: Path, profile: str, more: str = "") -> str:
    """Write a configuration file with one profile, by its indented fields, and what comes before it; gives its path."""
    path = folder / "scheduler.yaml"
    path.write_text(f"{CONFIGURATION}{more}profiles:\n- schedulerName: default-scheduler\n{profile}")
    return str(path)
