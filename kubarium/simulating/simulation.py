"""The library call: objects in, placements out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from kubarium.core.simulating.capacities import Capacities
from kubarium.core.simulating.completing import Completion
from kubarium.core.simulating.manifests import Item, ManifestError, read_items
from kubarium.core.simulating.quantities import with_quantities
from kubarium.core.simulating.report import Simulation, simulation_of
from kubarium.core.simulating.workloads import WORKLOADS, expand
from kubarium.errors import KubariumError
from kubarium.simulating.asking import ask, check
from machinery.model.k8s.core_v1 import Node
from machinery.model.simulation import Answer, Explanation, Question

_MOST: Final = 100_000  # replicas that are tried


def simulate(
    cluster: Iterable[dict[str, Any]],
    pods: Iterable[dict[str, Any]] = (),
    *,
    config: str = "",
    seed: int = 0,
) -> Simulation:
    """Return what the scheduler would do in a cluster with pods, given as Kubernetes objects.

    Workloads among `pods` stand for their pods. `config` is the path of a KubeSchedulerConfiguration. The same input and seed
    have the same result.

    Raises:
        KubariumError: an object or the configuration makes no sense; the message says which, and its field.
    """
    try:
        state, more = read_items("cluster", cluster), read_items("pods", pods)
    except ManifestError as error:
        raise KubariumError(str(error)) from error
    return simulate_items(state, more, config=config, seed=seed)


def simulate_items(
    state: Sequence[Item], pods: Sequence[Item], *, config: str = "", seed: int = 0
) -> Simulation:
    """Return what the scheduler would do with objects that know where they stand.

    Raises:
        KubariumError: one of them makes no sense; the message says where it stands.
    """
    items, remarks = together(state, pods)
    found = checked(ask(question_of(items, config, seed)), items)
    groups = {number: _owner(each) for number, each in enumerate(items) if each.kind == "Pod"}
    return simulation_of(found, seed, remarks, groups)


def capacities_of(
    state: Sequence[Item],
    pods: Sequence[Item] = (),
    *,
    leaving: bool = False,
    config: str = "",
    seed: int = 0,
) -> Capacities:
    """Return how many more of each workload or pod of `pods` fit beside what runs, and with `leaving` which nodes could go.

    Raises:
        KubariumError: an object makes no sense, or what comes stands for no pods.
    """
    items, remarks = together(state, [_once(each) for each in pods])
    first: dict[str, int] = {}
    for number, each in enumerate(items):
        if number >= len(state) and each.kind == "Pod":
            first.setdefault(str(each.place), number)
    about = {
        first[str(each.place)]: f"{each.kind} {'/'.join(each.key[1:])}"
        for each in pods
        if str(each.place) in first
    }
    if not about and not leaving:
        raise KubariumError("nothing of what comes stands for pods, so there is nothing to count")
    question = question_of(items, config, seed)
    question.how_many, question.most, question.leaving = list(about), _MOST, leaving
    found = checked(ask(question), items)
    room = {about[each.number]: each for each in found.room}
    return Capacities(room, found.leaving, found.together, len(found.after), (*remarks, *found.remarks))


def _once(item: Item) -> Item:
    """Return a workload with one replica, of which others are counted."""
    spec = item.obj.get("spec")
    if item.kind == "DaemonSet":
        raise KubariumError(str(item.refuse("has one pod on each node, so there is nothing to count")))
    if item.kind not in WORKLOADS or not isinstance(spec, dict) or "replicas" not in spec:
        return item
    return Item(item.place, {**item.obj, "spec": {**spec, "replicas": 1}})


def explain_items(state: Sequence[Item], namespace: str, name: str, *, config: str = "") -> Explanation:
    """Return what each plugin says of each node for one pod of a cluster.

    Raises:
        KubariumError: there is no such pod, or an object makes no sense.
    """
    items, _ = together(state, ())
    question = question_of(items, config, 0)
    question.explain = f"{namespace}/{name}"
    found = checked(ask(question), items).explanation
    if found is None:
        raise KubariumError(f"the scheduler's program explains nothing about pod {namespace}/{name}")
    return found


def together(state: Sequence[Item], pods: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """Return the objects of a cluster and those that come, workloads taken apart; with what is remarked about that.

    Raises:
        KubariumError: one of them makes no sense, or is there twice.
    """
    pods, remarks = _as_created(pods)
    try:
        nodes = [_node(each) for each in (*state, *pods) if each.kind == "Node"]
        coming = [made for each in pods for made in expand(each, nodes)]
        _check_once((*state, *coming))
        items = [Item(each.place, with_quantities(each)) for each in (*state, *coming)]
        completion = Completion(items)
        items = [Item(each.place, completion.complete(each)) for each in items]
    except ManifestError as error:
        raise KubariumError(str(error)) from error
    return items, remarks + [
        f"{each.place}: {each.kind} {'/'.join(each.key[1:])} of the cluster's state stands for no pods: they count where they are listed"
        for each in state
        if each.kind in WORKLOADS - {"ReplicaSet"}
    ]


def _as_created(items: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """Return pods and workloads as the apiserver would store them, others as they are; with what it did not check.

    Raises:
        KubariumError: it refuses some of them.
    """
    asked = [number for number, each in enumerate(items) if each.kind in {"Pod", *WORKLOADS}]
    found = dict(zip(asked, check([items[number].obj for number in asked]), strict=True))
    refused = [
        str(items[number].refuse(problem))
        for number, each in found.items()
        for problem in each.problems or ([] if each.obj else [_unknown(items[number])])
    ]
    if refused:
        raise KubariumError(_some(refused))
    remarks = [f"{items[number].place}: {each.remark}" for number, each in found.items() if each.remark]
    return [
        Item(each.place, (found[number].obj if number in found else None) or each.obj)
        for number, each in enumerate(items)
    ], remarks


def _unknown(item: Item) -> str:
    return f"apiVersion: there is no {item.kind} of {item.obj['apiVersion']}"


def _some(problems: list[str]) -> str:
    more = f"\n… and {len(problems) - 10} more" if len(problems) > 10 else ""
    return "\n".join(problems[:10]) + more


def question_of(items: Sequence[Item], config: str, seed: int) -> Question:
    """Return the question about some objects."""
    objects = [msgspec.Raw(msgspec.json.encode(each.obj)) for each in items]
    return Question(objects, config, seed=seed)


def checked(answer: Answer, items: Sequence[Item]) -> Answer:
    """Return an answer that is one.

    Raises:
        KubariumError: an object or the configuration was refused.
    """
    if answer.problem:
        raise KubariumError(answer.problem)
    if answer.refused:
        raise KubariumError(
            _some([str(items[each.number].refuse(_field_first(each.message))) for each in answer.refused])
        )
    return answer


def _owner(pod: Item) -> str:
    """Return the name of what a pod belongs to; its own where it stands alone."""
    meta = pod.obj["metadata"]
    owners = meta.get("ownerReferences") or [meta]
    return str(owners[0].get("name", ""))


def _node(item: Item) -> Node:
    try:
        return msgspec.convert(with_quantities(item), Node)
    except msgspec.ValidationError as error:
        raise item.refuse(_field_first(str(error))) from error


def _check_once(items: Iterable[Item]) -> None:
    known: dict[tuple[str, str, str], Item] = {}
    for each in items:
        if (before := known.setdefault(each.key, each)) is not each:
            raise each.refuse(f"there is one already: {before.place}")


def _field_first(problem: str) -> str:
    """Return what msgspec says with the field in front: "Expected `int`, got `str` - at `$.spec.replicas`"."""
    what, sign, path = problem.rpartition(" - at `$.")
    return f"{path.rstrip('`')}: {what[:1].lower()}{what[1:]}" if sign else problem
