"""A question about a simulated cluster and its answer, both JSON: `kubarium` asks, a process of `scheduler.simulation` answers.

The one stands on the process's standard input, the other on its standard output.
"""

from __future__ import annotations

import msgspec

Amounts = dict[str, int]
"""Resource → millicores of cpu, bytes of memory and ephemeral-storage, whole numbers of everything else."""


class NodeUse(msgspec.Struct, frozen=True):
    """A node: what it has for pods, and what is requested of that."""

    name: str
    allocatable: Amounts
    requested: Amounts


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked about which cluster."""

    objects: list[
        msgspec.Raw
    ]  # Kubernetes objects; those of kinds that decisions do not look at are passed over
    config: str = ""  # path of a KubeSchedulerConfiguration; "" for the default profile
    scheduler_name: str = "default-scheduler"
    seed: int = 0  # of what breaks ties
    explain: str = ""  # a pod, "namespace/name": that is explained, and nothing is decided
    how_many: list[int] = []  # numbers of pods: how many like each fit is counted, and nothing is decided
    most: int = 0  # replicas that are tried of each
    leaving: bool = False  # which nodes could go is tried, and nothing is decided


class Refused(msgspec.Struct):
    """An object that cannot be read."""

    number: int  # its place in the question's objects, from 0
    message: str  # "$.spec.containers[0].image: expected `str`, got `int`"


class PodOn(msgspec.Struct):
    """A pod that is on a node, before or after."""

    number: int
    namespace: str
    name: str
    node: str
    priority: int
    requests: Amounts


class Placement(msgspec.Struct, omit_defaults=True):
    """What became of a pod that waited."""

    number: int
    namespace: str
    name: str
    priority: int
    requests: Amounts
    node: str = ""  # "": none
    order: int = 0  # of the decision, from 1
    score: int = 0
    ties: int = 0  # nodes with the same score, this one included
    reason: str = ""  # why there is no node: Unschedulable, SchedulingGated, SchedulerError, OtherScheduler
    message: str = ""


class Verdict(msgspec.Struct, omit_defaults=True):
    """What one plugin says of one node."""

    plugin: str
    reasons: tuple[str, ...] = ()  # why the node cannot take the pod; () where it can
    raw: int | None = None  # its score
    points: int | None = None  # 0 to 100; None where it does not score, or the node is no candidate
    weight: int = 0


class NodeVerdicts(msgspec.Struct, omit_defaults=True):
    """What all plugins say of one node."""

    name: str
    fits: bool
    verdicts: list[Verdict]
    score: int | None = None  # None where the node is no candidate


class HintText(msgspec.Struct):
    """Changes that together let the pod fit on nodes."""

    changes: tuple[str, ...]
    nodes: tuple[str, ...]


class Explanation(msgspec.Struct, omit_defaults=True):
    """Why a pod goes where it goes."""

    namespace: str
    name: str
    profile: str
    requests: Amounts
    node: str = ""  # where it is; it was judged as if it were not there
    nominated: str = ""  # the node that is kept for it
    gate: str = ""  # what it waits for before it is looked at
    message: str = ""  # of a pod that fits nowhere, as the scheduler says it
    nodes: list[NodeVerdicts] = []  # none where a plugin keeps the pod from all of them
    hints: list[HintText] = []


class Room(msgspec.Struct):
    """How many pods like one fit."""

    number: int  # of that pod
    replicas: int
    nodes: dict[str, int]  # replicas by node
    message: str  # why there are not more; "" where as many as were tried fit


class Leaving(msgspec.Struct):
    """What came of a node without which it was tried."""

    node: str
    moved: dict[str, str]  # pods, "namespace/name", and where they would go
    stuck: dict[str, str]  # pods that keep it, and why


class Evicted(msgspec.Struct):
    """A pod that had a node, and made room for one of higher priority."""

    namespace: str
    name: str
    node: str
    by: str  # "namespace/name"


class Answer(msgspec.Struct, omit_defaults=True):
    """What was found, or why nothing was."""

    problem: str = ""  # with the configuration
    refused: list[Refused] = []
    remarks: list[str] = []  # about what the configuration says without effect
    before: list[NodeUse] = []
    after: list[NodeUse] = []
    running: list[PodOn] = []  # pods that had a node in the question
    placements: list[Placement] = []
    evicted: list[Evicted] = []
    explanation: Explanation | None = None
    room: list[Room] = []
    leaving: list[Leaving] = []  # each node, tried alone; the emptiest first
    together: list[str] = []  # nodes that can go together
