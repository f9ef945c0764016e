"""The rules of the CNI plugin portmap, which leads ports of a node to pods (`hostPort`), as a table of `filtering`.

The plugin calls iptables, whose rules nft lists without what they mean; so they are read as iptables writes them
(`iptables -t nat -S`, or ip6tables). What is not known here makes its rule one that cannot be read, and nothing is guessed.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any, Final

from kubarium.core.net.rules import Rule, Table

_HOOKS: Final = {"PREROUTING": "prerouting", "OUTPUT": "output", "POSTROUTING": "postrouting"}
_MARK: Final = {"meta": {"key": "mark"}}
_COMMENT: Final = re.compile(r'-m comment --comment (?:"(?:[^"\\]|\\.)*"|[^"\s]\S*) ')
_VERDICTS: Final = {"ACCEPT": "accept", "DROP": "drop", "RETURN": "return"}


def read_host_ports(listing: str) -> Table:
    """Read what `iptables -t nat -S` printed."""
    rules: dict[str, list[Rule]] = defaultdict(list)
    for line in listing.splitlines():
        kind, _, rest = line.partition(" ")
        chain, _, said = rest.partition(" ")
        if kind in {"-N", "-P"}:
            rules.setdefault(chain, [])
        elif kind == "-A":
            rules[chain].append(Rule(_COMMENT.sub("", said), tuple(_expressions(said))))
    hooks = {hook: chain for chain, hook in _HOOKS.items() if rules.get(chain)}
    return Table({name: tuple(found) for name, found in rules.items()}, hooks, {}, {}, {})


def _expressions(said: str) -> Iterator[dict[str, Any]]:
    words = iter(shlex.split(said))
    is_not, protocol = False, "th"
    for word in words:
        if word == "!":
            is_not = True
            continue
        value = next(words, "")
        if word == "-p":
            protocol = value
        yield from _condition(word, value, protocol, "!=" if is_not else "==")
        if word == "-j":
            yield _target(value, list(words))
        is_not = False


def _condition(word: str, value: str, protocol: str, operator: str) -> Iterator[dict[str, Any]]:
    """Return what a word and its value ask of a packet."""
    left: Any
    right: Any
    match word:
        case "-m" | "--comment" | "-j":
            return
        case "-p":
            left, right = {"meta": {"key": "l4proto"}}, value
        case "-s" | "-d":
            network = ip_network(value)
            field = "saddr" if word == "-s" else "daddr"
            left = {"payload": {"protocol": "ip6" if network.version == 6 else "ip", "field": field}}
            right = {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}
        case "--dport" | "--dports":
            ports = {"set": [int(each) for each in value.split(",") if each.isdecimal()]}
            if ":" in value:
                yield {f"ports {value}": None}
            left, right = {"payload": {"protocol": protocol, "field": "dport"}}, ports
        case "--dst-type":
            left, right = {"fib": {"result": "type", "flags": ["daddr"]}}, value.lower()
        case "--mark":
            bits, mask = _bits(value)
            left, right = {"&": [_MARK, mask]}, bits
        case _:
            yield {f"{word} {value}": None}
            return
    yield {"match": {"op": operator, "left": left, "right": right}}


def _target(name: str, words: list[str]) -> dict[str, Any]:
    """Return what becomes of the packets that a rule is about."""
    match name, words:
        case "DNAT", ["--to-destination", where]:
            address, _, port = where.rpartition(":")
            return {"dnat": {"addr": address.strip("[]"), "port": int(port)}}
        case "MASQUERADE", _:
            return {"masquerade": None}
        case "MARK", ["--set-xmark", value]:
            bits, mask = _bits(value)
            if bits == mask:
                return {"mangle": {"key": _MARK, "value": {"|": [_MARK, bits]}}}
        case _, [] if name in _VERDICTS:
            return {_VERDICTS[name]: None}
        case _, []:
            return {"jump": {"target": name}}
    return {f"{name} {' '.join(words)}": None}


def _bits(text: str) -> tuple[int, int]:
    """Read a mark and its mask, `0x2000/0x2000`."""
    bits, _, mask = text.partition("/")
    return int(bits, 0), int(mask or "0xffffffff", 0)
