"""From a KubeSchedulerConfiguration to profiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scheduler.core.configured.args import build_plugin
from scheduler.core.configured.documents import (
    API_VERSION,
    KIND,
    BadConfiguration,
    Configuration,
    ProfileFields,
    read,
)
from scheduler.core.configured.extenders import read_extenders
from scheduler.core.configured.own import NOTHING, Installed
from scheduler.core.configured.points import QUEUE_SORT, choose_points
from scheduler.core.extending import Extender
from scheduler.core.framework import Plugin
from scheduler.core.plugins.node_resources_fit import NodeResourcesFit
from scheduler.core.profile import Profile
from scheduler.core.registry import PLUGINS

_NO_SAMPLE: Final = "percentageOfNodesToScore has no effect: all nodes are looked at, for every pod"
_UNUSED: Final = {
    "parallelism": "one thread decides",
    "leaderElection": "flags say who leads (--leader-elect, --profile)",
    "clientConnection": "flags say how to reach the apiserver (--server and others)",
    "enableProfiling": "there is no such endpoint",
    "enableContentionProfiling": "there is no such endpoint",
    "delayCacheUntilActive": "the cache is filled before this process leads",
}
_DEFAULT: Final = Configuration(apiVersion=API_VERSION, kind=KIND)


@dataclass(frozen=True, slots=True)
class Configured:
    """What a file says; remarks are for the log."""

    profiles: tuple[Profile, ...]
    initial_backoff_s: int
    longest_backoff_s: int
    remarks: tuple[str, ...]
    extenders: tuple[Extender, ...] = ()


def read_configuration(content: Any, installed: Installed = NOTHING) -> Configured:
    """Read a file, which may name plugins that are installed.

    Raises:
        BadConfiguration: something in it cannot be, or is not built; the text names the field.
    """
    found = read(content, Configuration)
    for field, given, wanted in (("apiVersion", found.apiVersion, API_VERSION), ("kind", found.kind, KIND)):
        if given != wanted:
            raise BadConfiguration(f"{field}: {given}; what is read is {wanted}")
    _check_backoff(found)
    extenders, ignored = read_extenders(found.extenders)
    fields = found.profiles or (ProfileFields(),)
    profiles = tuple(
        _profile(each, f"profiles[{number}]", installed, ignored) for number, each in enumerate(fields)
    )
    _check_sorting(fields, profiles)
    for number, each in enumerate(profiles):
        if each.scheduler_name in {other.scheduler_name for other in profiles[:number]}:
            raise BadConfiguration(
                f"profiles[{number}].schedulerName: Duplicate value: {each.scheduler_name}"
            )
    return Configured(
        profiles, found.podInitialBackoffSeconds, found.podMaxBackoffSeconds, _remarks(found), extenders
    )


def _check_sorting(fields: Sequence[ProfileFields], profiles: Sequence[Profile]) -> None:
    """Check that all profiles have one order of the queue, which they share."""
    orders = [
        (
            each.sorts.name if each.sorts else QUEUE_SORT,
            _args_of(given, each.sorts.name if each.sorts else ""),
        )
        for given, each in zip(fields, profiles, strict=True)
    ]
    for number, each in enumerate(orders):
        if each != orders[0]:
            raise BadConfiguration(
                f"profiles[{number}].plugins.queueSort: all profiles share one queue: {each[0]} has to be {orders[0][0]} with the"
                " same arguments as in profiles[0]"
            )


def _args_of(fields: ProfileFields, name: str) -> dict[str, Any]:
    return next((each.args for each in fields.pluginConfig if each.name == name), {})


def _profile(fields: ProfileFields, where: str, installed: Installed, ignored: frozenset[str]) -> Profile:
    if not fields.schedulerName:
        raise BadConfiguration(f"{where}.schedulerName: a name is required")
    own = installed.names(fields.plugins)
    by_name = _plugins(fields, f"{where}.pluginConfig", installed, own)
    if ignored and isinstance(fit := by_name[NodeResourcesFit.name], NodeResourcesFit):
        by_name[NodeResourcesFit.name] = fit.ignoring(ignored)
    points = choose_points(fields.plugins, by_name.values(), installed.loads, f"{where}.plugins")
    used = {name: each for name, each in by_name.items() if name in points.everybody}

    def those(names: Iterable[str]) -> tuple[Plugin, ...]:
        return tuple(used[each] for each in names)

    return Profile(
        fields.schedulerName,
        tuple(used.values()),
        points.weights,
        points.filters,
        points.gates,
        points.remedies,
        used.get(points.sorts),
        points.reserves,
        those(points.permits),
        those(points.pre_binds),
        those(points.binds),
        those(points.post_binds),
        is_extended=bool(own),
    )


def _plugins(
    fields: ProfileFields, where: str, installed: Installed, own: Sequence[str]
) -> dict[str, Plugin]:
    given: dict[str, Plugin] = {}
    for number, each in enumerate(fields.pluginConfig):
        at = f"{where}[{number}]"
        if each.name in given:
            raise BadConfiguration(f"{at}.name: Duplicate value: {each.name}")
        if each.name in installed.loads:
            if each.name not in own:
                raise BadConfiguration(f"{at}.name: the plugin {each.name} is not enabled in this profile")
            given[each.name] = installed.make(each.name, each.args, f"{at}.args")
        else:
            given[each.name] = build_plugin(each.name, each.args, f"{at}.args")
    ours = {each.name: given.get(each.name, each) for each in PLUGINS}
    return ours | {name: given.get(name) or installed.make(name, {}, where) for name in own}


def _check_backoff(found: Configuration) -> None:
    first, longest = found.podInitialBackoffSeconds, found.podMaxBackoffSeconds
    if first <= 0:
        raise BadConfiguration(f"podInitialBackoffSeconds: Invalid value: {first}: must be greater than 0")
    if longest < first:
        raise BadConfiguration(
            f"podMaxBackoffSeconds: Invalid value: {longest}: must be greater than or equal to podInitialBackoffSeconds"
        )


def _remarks(found: Configuration) -> tuple[str, ...]:
    remarks = [f"{field} has no effect: {why}" for field, why in _UNUSED.items() if _is_given(found, field)]
    asked = (found.percentageOfNodesToScore, *(each.percentageOfNodesToScore for each in found.profiles))
    if any(each is not None for each in asked):
        remarks.append(_NO_SAMPLE)
    if any(each.name == "DefaultPreemption" for profile in found.profiles for each in profile.pluginConfig):
        remarks.append("the arguments of DefaultPreemption have no effect: all nodes are looked at")
    if any("filterTimeout" in each.args for profile in found.profiles for each in profile.pluginConfig):
        remarks.append(
            "filterTimeout of DynamicResources counts as devices that are tried, 200 in a millisecond, 10,000 at most"
        )
    return tuple(remarks)


def _is_given(found: Configuration, field: str) -> bool:
    return bool(getattr(found, field) != getattr(_DEFAULT, field))
