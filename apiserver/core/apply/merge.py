"""Merge a configuration into an object, by what its schema says of lists and maps."""

from __future__ import annotations

from typing import Any

from apiserver.core.apply.items import grouped
from apiserver.core.apply.topology import DEDUCED, OPEN_MAP, Deduced, Granular, Items, Leaf, Topology


def merge(topology: Topology, live: Any, config: Any) -> Any:
    """Return `live` with what `config` says; neither is changed, the result shares parts with both.

    A leaf is the configuration's. Items of lists that both have stand in the configuration's order, among them
    those that only one has, after what they stood behind. Null makes a field null; of a map that has something it
    takes nothing away.
    """
    if isinstance(topology, Deduced):
        topology = OPEN_MAP if isinstance(live, dict) and isinstance(config, dict) else Leaf()
    if isinstance(topology, Granular) and live and isinstance(live, dict):
        return _merged_fields(topology, live, config) if isinstance(config, dict) else config or live
    if isinstance(topology, Items) and live and isinstance(live, list):
        return _merged_items(topology, live, config) if isinstance(config, list) else config or live
    return config


def _merged_fields(topology: Granular, live: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    fields, rest, result = topology.fields, topology.rest or DEDUCED, dict(live)
    for name, item in config.items():
        result[name] = merge(fields.get(name) or rest, live[name], item) if name in live else item
    return result


def _merged_items(topology: Items, live: list[Any], config: list[Any]) -> list[Any]:
    lives, configs = grouped(topology, live), grouped(topology, config)
    result: list[Any] = []
    for element in merged_order(list(lives), list(configs)):
        said = configs.get(element)
        if said is None:
            result += lives[element]
        elif len(lives.get(element, ())) == 1:
            result.append(merge(topology.item, lives[element][0], said[0]))
        else:
            result.append(said[0])
    return result


def merged_order(live: list[str], config: list[str]) -> list[str]:
    """Return the elements of both lists: in the order of `config`, and those of `live` only where they stood."""
    in_live, in_config = set(live), set(config)
    shared = [element for element in config if element in in_live]
    result: list[str] = []
    at_live = at_config = at_shared = 0
    while at_live < len(live) or at_config < len(config):
        here = live[at_live] if at_live < len(live) else None
        next_said = config[at_config] if at_config < len(config) else None
        if here is not None and here not in in_config:
            result.append(here)
            at_live += 1
        elif next_said is None or (
            here is not None and here != next_said and at_shared < len(shared) and here != shared[at_shared]
        ):
            at_live += 1  # it has its place, or gets it, from the configuration
        else:
            result.append(next_said)
            at_config += 1
            if next_said in in_live:
                at_shared += 1
                at_live += here == next_said
    return result
