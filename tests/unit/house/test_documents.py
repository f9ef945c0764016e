"""No document, docstring or comment names a file or a module that the repository does not have."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from kubarium.cli import parser
from tests.support.captures import PAGE, TITLE
from tests.support.sources import ROOT, python_files, text_of, tree_of

PACKAGES = (
    "kubarium", "apiserver", "scheduler", "controllers", "kubelet", "dockershim", "hollow", "hollownodes", "proxy", "dns", "ingress", "machinery", "tests",
    "tools", "benchmarks",
)  # fmt: skip
FOLDERS = (*PACKAGES, "docs", "examples", "proto", "scripts", ".ci")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
SOURCES = [
    path
    for package in PACKAGES
    for path in python_files(package)
    if not {"pb", "k8s"} & set(path.relative_to(ROOT).parts[1:-1])
]
_SUFFIXES = "py|md|proto|toml|yml|yaml|binpb|lock"
_FILE = re.compile(rf"(?<![\w/.:*<-])((?:[\w.{{}},*-]+/)*[\w{{}},*-]+\.(?:{_SUFFIXES}))(?![\w/:-]|\.\w)")
_FOLDER = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./{{}},*-]*)`")
_MODULE = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")
_ELSEWHERE = frozenset({
    "docker-compose.yml", "spec.json", "pod.yaml",  # made by a run or a user
    "kubarium/_components", "kubarium.scheduler", "proxy.py",  # in an installation, and another project
    "openapiv2/OpenAPIv2.proto", "sig-api-machinery/strategic-merge-patch.md",  # sources that are cited
})  # fmt: skip


@cache
def _files() -> tuple[str, ...]:
    found = [
        path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts
    ]
    return tuple(f"/{path.relative_to(ROOT)}" for path in [*found, *ROOT.iterdir()])


@cache
def _is_there(name: str) -> bool:
    """Whether a file or folder is in the repository, by its path or by the end of it; {a,b} and * as in a shell."""
    choices = [part.strip("{}").split(",") for part in re.split(r"(\{[^}]*\})", name.rstrip("/"))]
    parts = re.split(r"(\{[^}]*\})", name.rstrip("/"))
    options = [
        choice if part.startswith("{") else [part] for part, choice in zip(parts, choices, strict=True)
    ]
    return all(map(_is_one_there, map("".join, product(*options))))


@cache
def _ends() -> frozenset[str]:
    """Return every path, and every end of it that begins with a name."""
    return frozenset(
        "/".join(parts[start:])
        for file in _files()
        for parts in [file.split("/")]
        for start in range(len(parts))
    )


def _is_one_there(name: str) -> bool:
    return name in _ends() or ("*" in name and any(fnmatch(file, f"*/{name}") for file in _files()))


def _is_module(name: str) -> bool:
    """Whether a dotted name is a module, or something that a module mentions."""
    parts = name.split(".")
    for size in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:size])
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if path.is_dir() and size == len(parts):
            return True
        if file.exists():
            return size == len(parts) or re.search(rf"\b{parts[size]}\b", text_of(file)) is not None
    return False


def unknown(text: str) -> set[str]:
    """Find what a text names and the repository does not have."""
    files = {found for pattern in (_FILE, _FOLDER) for found in pattern.findall(text)} - _ELSEWHERE
    return {name for name in files if not _is_there(name)} | {
        name for name in set(_MODULE.findall(text)) - _ELSEWHERE if not _is_module(name)
    }


def _text(path: Path) -> str:
    """Return a document without the blocks that are run, as those of labs: they write the files that they name."""
    before, _, after = (text := text_of(path)).partition(f"\n{TITLE}\n")
    is_run = after if path == PAGE else text if "labs" in path.parts else ""
    words = re.sub(r"^```.*?^```$", "", is_run, flags=re.DOTALL | re.MULTILINE)
    return f"{before}{words}" if path == PAGE else words or text


def _prose(path: Path) -> Iterator[str]:
    """Return the docstrings and comments of a module."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    yield from re.findall(r"#.*", text_of(path))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_what_is_there(path: Path):
    """Files, folders, modules, and the targets of its links."""
    text = _text(path)
    named = {name for name in unknown(text) if not (path.parent / name).exists()}
    links = {link for link in _LINK.findall(text) if not (path.parent / link).exists()}
    assert (named, links) == (set(), set())


def test_docstrings_and_comments_name_what_is_there():
    """In the product, and in the tests."""
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        if path != Path(__file__) and unknown(text_of(path))  # most modules name nothing unknown at all
        for text in _prose(path)
        for name in unknown(text)
    }
    assert found == set()


@pytest.mark.parametrize(
    "text",
    ["see nowhere/else.py", "`tests/nothing/`", "`machinery.client.nothing`", "kubelet/{server,nothing}.py",
     "`scheduler/core/nought*.py`"],
)  # fmt: skip
def test_what_is_not_there_is_found(text: str):
    """Each of the ways to name something."""
    assert unknown(text)


_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_FLAG_OF_OTHERS = frozenset({
    "--context", "--server-side",  # kubectl
    "--peer-cert-allowed-hostname", "--data-binary", "--resolve", "--cacert", "--unix-socket", "--format", "--terse",
    "--env-file",  # etcd, curl, docker, nft, docker compose
})  # fmt: skip


def _subparsers(top: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield name, sub
                yield from ((f"{name} {inner}", each) for inner, each in _subparsers(sub))


@cache
def _declarations() -> frozenset[str]:
    """Return the flags of the command line, those that a module adds itself, and the names of all fields."""
    commands = {name for _, sub in _subparsers(parser()) for name in sub._option_string_actions}
    declaration = re.compile(r"^    (\w+): |add_argument\(\s*\"(--[\w-]+)\"", re.MULTILINE)
    found = (each for path in SOURCES for each in declaration.findall(text_of(path)))
    return frozenset({*commands, *(field or flag for field, flag in found)})


def _declared(flag: str) -> bool:
    """Whether a flag is one of the command line's, or of a component's (whose fields are the names of its flags)."""
    field = flag.lstrip("-").replace("-", "_")
    return not {flag, field, f"{field}_"}.isdisjoint(_declarations())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_flags_that_there_are(path: Path):
    """Those of the command line, of components, and of others' programs."""
    assert {
        flag for flag in set(_FLAG.findall(_text(path))) - _FLAG_OF_OTHERS if not _declared(flag)
    } == set()


def test_a_flag_that_there_is_not_is_found():
    """Neither the command line's nor a component's."""
    assert not _declared("--no-such-flag")


def test_every_command_is_in_the_readme():
    """By its name, after `kubarium`."""
    shown = re.findall(r"`kubarium ([^`]*)`", (ROOT / "README.md").read_text())
    words = set(re.split(r"[\s|\\\[\]]+", " ".join(shown)))
    assert {name for name, _ in _subparsers(parser()) if not set(name.split()) <= words} == set()


DECISIONS = sorted((ROOT / "docs" / "adr").glob("0*.md"))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_a_date_and_a_status(path: Path):
    """Under its title, and its title in the list."""
    title, _, dated = path.read_text().split("\n")[:3]
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d, (proposed|accepted|superseded by .*?)(; written down \d{4}-\d\d-\d\d)?\.", dated
    )
    number, said = title.removeprefix("# ").split(" ", 1)
    assert f"| [{number}]({path.name}) | {said} |" in (path.parent / "README.md").read_text()
