"""What import contracts cannot say: a core reaches no shell, no clock; no module is in a circle with another."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[3]
COMPONENTS = (
    "kubarium",
    "apiserver",
    "scheduler",
    "controllers",
    "kubelet",
    "dockershim",
    "hollow",
    "proxy",
    "dns",
    "ingress",
)
HOSTS = ("hollownodes",)  # what decides there is what they host
CORES = [*(f"{component}.core" for component in COMPONENTS), "machinery.model"]
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(*COMPONENTS, *HOSTS, "machinery", cache_dir=None)


def _package(name: str) -> set[str]:
    return {name, *_graph().find_descendants(name)}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_core_does_not_reach_its_own_shell(component: str):
    """Decisions know nothing of what carries them out, not even through others."""
    core = _package(f"{component}.core")
    shell = _package(component) - core - {component}
    found = {
        each: chain
        for each in sorted(core)
        for chain in [sorted(_graph().find_upstream_modules(each) & shell)]
        if chain
    }
    assert found == {}


@pytest.mark.parametrize("core", CORES)
def test_a_core_reads_no_clock(core: str):
    """Its modules may calculate with times, and are told what time it is."""
    modules = [Path(ROOT, *name.split(".")) for name in _package(core)]
    files = [each / "__init__.py" if each.is_dir() else each.with_suffix(".py") for each in modules]
    found = [
        f"{path}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in CLOCKS
    ]
    assert found == []


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Return the groups of modules that reach each other, each sorted."""
    upstream = {name: graph.find_upstream_modules(name) for name in graph.modules}
    found = {
        tuple(sorted({name, *(other for other in reached if name in upstream[other])}))
        for name, reached in upstream.items()
        if name in reached or any(name in upstream[other] for other in reached)
    }
    return [list(each) for each in sorted(found)]


def test_no_module_is_in_a_circle():
    """Also where the import stands in a function, and where the two are far apart."""
    assert circles(_graph()) == []


def test_a_circle_would_be_found():
    """Of two modules, and of three."""
    graph = grimp.ImportGraph()
    for importer, imported in [("a", "b"), ("b", "a"), ("c", "d"), ("d", "e"), ("e", "c"), ("e", "a")]:
        graph.add_import(importer=importer, imported=imported)
    assert circles(graph) == [["a", "b"], ["c", "d", "e"]]
