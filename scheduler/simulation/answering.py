"""From a question to an answer: the objects are read, the profiles too, and the core decides."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from machinery.model.resources import KubeObject
from machinery.model.simulation import (
    Answer,
    Evicted,
    Leaving,
    Placement,
    PodOn,
    Question,
    Refused,
    Room,
)
from machinery.process.config import ConfigError
from machinery.wire.objects import decoder_for, without_nulls
from scheduler.config_file import configured
from scheduler.core.profile import Profile
from scheduler.core.simulation import leaving as core
from scheduler.core.simulation.capacity import count_fitting
from scheduler.core.simulation.leaving import Leavings
from scheduler.core.simulation.placing import Left, Placed, Result, place
from scheduler.core.simulation.using import requests_of, use_of_nodes
from scheduler.core.simulation.world import TYPES, Member, World
from scheduler.own_plugins import installed_plugins
from scheduler.simulation.explaining import explanation_of, find_member


class _Head(msgspec.Struct):
    apiVersion: str = ""
    kind: str = ""


_head: Final = msgspec.json.Decoder(_Head)


@dataclass(slots=True)
class Setting:
    """A question, read."""

    world: World
    profiles: dict[str, Profile]
    remarks: list[str]


def answer(question: Question) -> Answer:
    """Return what the scheduler would do with the pods that wait."""
    setting = read(question)
    if isinstance(setting, Answer):
        return setting
    world = setting.world
    if question.explain:
        return _explained(question.explain, setting)
    draw = random.Random(question.seed).random  # noqa: S311 - ties are no secrets
    if question.how_many or question.leaving:
        return _capacities(question, setting, draw)
    before = use_of_nodes(world.snapshot)
    running = [_on_node(each) for each in world.running()]
    outcome = place(world, setting.profiles, draw)
    return Answer(
        remarks=setting.remarks,
        before=before,
        after=use_of_nodes(world.snapshot),
        running=running,
        placements=[_placement(each) for each in outcome.results],
        evicted=[
            Evicted(each.pod.namespace, each.pod.name, each.pod.node, each.by.key) for each in outcome.evicted
        ],
    )


def _capacities(question: Question, setting: Setting, draw: Callable[[], float]) -> Answer:
    world, profiles = setting.world, setting.profiles
    found = Answer(remarks=setting.remarks, after=use_of_nodes(world.snapshot))
    asked = {each.number: each for each in world.waiting()}
    for number in question.how_many:
        counted = count_fitting(asked[number], world, profiles, draw, most=question.most)
        message = counted.left.message.strip() if counted.left else ""
        found.room.append(Room(number, counted.number, dict(sorted(counted.nodes.items())), message))
    if question.leaving:
        leavings = Leavings(world, profiles, draw)
        found.leaving = [_leaving(each) for each in leavings.each_alone()]
        found.together = leavings.together()
    return found


def _leaving(found: core.Leaving) -> Leaving:
    return Leaving(
        found.node,
        {each.member.info.key: each.decision.node for each in found.moved},
        {member.info.key: why.strip() for member, why in found.stuck},
    )


def _explained(key: str, setting: Setting) -> Answer:
    member = find_member(setting.world, key)
    if member is None:
        return Answer(problem=f"there is no pod {key} that has not ended")
    profile = setting.profiles.get(member.info.scheduler_name)
    if profile is None:
        known = ", ".join(setting.profiles)
        name = member.info.scheduler_name
        return Answer(problem=f'pod {key} is for the scheduler "{name}"; the profiles here are {known}')
    return Answer(remarks=setting.remarks, explanation=explanation_of(member, setting.world, profile))


def read(question: Question) -> Setting | Answer:
    """Read what is asked about; an Answer where that cannot be."""
    try:
        found = configured(question.config, question.scheduler_name, installed_plugins)
    except ConfigError as error:
        return Answer(problem=str(error))
    world, refused = World(), []
    for number, raw in enumerate(question.objects):
        try:
            _put(world, raw, number)
        except (msgspec.DecodeError, ValueError) as error:
            refused.append(Refused(number, str(error)))
    if refused:
        return Answer(refused=refused)
    world.count_budgets()
    remarks = [*found.remarks, *(f"{each.url} is not asked: this is no cluster" for each in found.extenders)]
    return Setting(world, {each.scheduler_name: each for each in found.profiles}, remarks)


def _put(world: World, raw: msgspec.Raw, number: int) -> None:
    head = _head.decode(raw)
    type_ = TYPES.get((head.apiVersion, head.kind))
    if type_ is not None:
        world.put(_decoded(raw, type_), number)


def _decoded(raw: msgspec.Raw, type_: type[KubeObject]) -> KubeObject:
    try:
        return decoder_for(type_).decode(raw)
    except msgspec.ValidationError:
        return msgspec.convert(without_nulls(msgspec.json.decode(raw)), type_)


def _on_node(member: Member) -> PodOn:
    pod = member.info
    return PodOn(member.number, pod.namespace, pod.name, pod.node, pod.priority, requests_of(pod.needs))


def _placement(result: Result) -> Placement:
    pod = result.member.info
    found = Placement(result.member.number, pod.namespace, pod.name, pod.priority, requests_of(pod.needs))
    match result:
        case Placed():
            found.order, decision = result.order, result.decision
            found.node, found.score, found.ties = decision.node, decision.score, decision.ties
        case Left():
            found.reason, found.message = result.reason, result.message
    return found
