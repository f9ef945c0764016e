"""Completion of the command line: what a word can become, from the parser itself."""

from __future__ import annotations

import pytest

from kubarium.cli import parser
from kubarium.cli.completion import candidates

THERE = {
    ("CLUSTER", ""): ["kubarium", "shop"],
    ("COMPONENT", ""): ["apiserver", "kubelet@node-1", "node-1"],
    ("COMPONENT", "shop"): ["scheduler"],
    ("NODE", ""): ["node-1", "node-2"],
}


def complete(*words: str) -> list[str]:
    return [word for word, _ in candidates(parser(), words, lambda what, name: THERE.get((what, name), []))]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["kube"], ["kubeconfig"]),
        (["node", ""], ["add", "rm", "ls"]),
        (["node", "rm", ""], ["node-1", "node-2"]),
        (["node", "rm", "node-1", ""], []),
        (["use", "s"], ["shop"]),
        (["ps", "--name", ""], ["kubarium", "shop"]),
        (["ps", "--name=s"], ["--name=shop"]),
        (["kill", "kubelet@"], ["kubelet@node-1"]),
        (["kill", "apiserver", "n"], ["node-1"]),
        (["kill", "--name", "shop", ""], ["scheduler"]),
        (["kill", "--name=shop", ""], ["scheduler"]),
        (["logs", "--tail", "3", "api"], ["apiserver"]),
        (["logs", "--tail", ""], []),
        (["up", "--runtime", ""], ["auto", "docker", "hollow"]),
        (["up", "--profile=f"], ["--profile=fast"]),
        (["up", "--ta"], ["--taint"]),
        (["ls", "-o", ""], ["table", "json", "name"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["ls", "what", ""], []),
        (["nothing", "of", ""], []),
        (["up", "--none", "x", "--none="], []),
    ],
)
def test_a_word_is_completed(words: list[str], expected: list[str]):
    """Commands, options, their values, and names of what there is; nothing where nothing is known."""
    assert complete(*words) == expected


def test_every_command_is_offered_and_described():
    """At an empty line; and each long option of a command behind a dash."""
    commands = dict(candidates(parser(), [""], lambda *_: []))
    assert {"up", "down", "ps", "logs", "load", "completion"} <= commands.keys()
    assert all(commands.values())
    assert {"--file", "--nodes", "--registry", "--name", "--help"} <= set(complete("up", "-"))
    assert candidates(parser(), [], lambda *_: []) == candidates(parser(), [""], lambda *_: [])
