"""The question that a process of the scheduler's is asked, and its answer, as they go over the pipe (JSON both).

The other side is `scheduler.simulation.conversation`; a test holds the two against each other.
"""

from __future__ import annotations

from typing import Any

import msgspec

Amounts = dict[str, int]
"""Resource → millicores of cpu, bytes of memory and ephemeral-storage, whole numbers of everything else."""


class Question(msgspec.Struct):
    """What is asked about which cluster."""

    objects: list[Any]
    config: str = ""
    scheduler_name: str = "default-scheduler"
    seed: int = 0


class Refused(msgspec.Struct):
    """An object that cannot be read."""

    number: int
    message: str


class NodeUse(msgspec.Struct):
    """A node: what it has for pods, and what is requested of that."""

    name: str
    allocatable: Amounts
    requested: Amounts


class PodOn(msgspec.Struct):
    """A pod that had a node before."""

    number: int
    namespace: str
    name: str
    node: str
    priority: int
    requests: Amounts


class Placement(msgspec.Struct):
    """What became of a pod that waited."""

    number: int
    namespace: str
    name: str
    priority: int
    requests: Amounts
    node: str = ""
    order: int = 0
    score: int = 0
    ties: int = 0
    reason: str = ""
    message: str = ""


class Answer(msgspec.Struct):
    """What was found, or why nothing was."""

    problem: str = ""
    refused: list[Refused] = []
    remarks: list[str] = []
    before: list[NodeUse] = []
    after: list[NodeUse] = []
    running: list[PodOn] = []
    placements: list[Placement] = []
