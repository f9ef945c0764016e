"""YAML bodies, as JSON bytes that say what the YAML says; and which keys it says again, the last value of which counts.

Kubernetes reads YAML 1.1 without dates: an unquoted 2024-01-01 stays a string. The parser's events are folded into
JSON one by one, with a stack of our own: libyaml's composer recurses in C, so that a deep document would end the
process. Aliases and merge keys are followed up to a bound on what they unfold to: a small text cannot become a large
one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeAlias

from machinery.model.errors import BadRequest

_LARGEST: Final = 3 * 1024 * 1024  # characters of JSON: what a JSON body may have
_DEEPEST: Final = 200
_MOST_NODES: Final = 200_000  # a few µs each
_MOST_REPEATED: Final = 100  # keys that are told of
_LONGEST_NUMBER: Final = 128  # characters: reading a number takes more than proportional time
_NULL, _BOOL, _INT, _FLOAT, _MERGE = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "merge")
)

Pairs: TypeAlias = tuple[tuple[str, str], ...]  # a key and its value, both as JSON


class NotYaml(BadRequest):
    """A body is no YAML that is read here; `problem` says why, as go-yaml does where it would refuse it, too."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"couldn't read the body as YAML: {problem}")
        self.problem = problem


class Converted(NamedTuple):
    """A YAML document, as JSON."""

    json: bytes
    repeated: tuple[str, ...] = ()  # in go-yaml's words: line 3: key "a" already set in map


def yaml_to_json(data: bytes) -> Converted:
    """Write one YAML document as JSON.

    Raises:
        NotYaml: it is none, more than one document, or too much of it.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _fold(yaml.parse(data.decode("utf-8-sig"), Loader=loader))
    except yaml.MarkedYAMLError as error:
        raise NotYaml(_as_go_tells(error)) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise NotYaml(str(error)) from error


def _as_go_tells(error: Any) -> str:
    """Write a fault that libyaml found; a scanner's lines are counted from 0 there."""
    from yaml.scanner import ScannerError

    mark = error.context_mark if error.context_mark and error.context_mark.line else error.problem_mark
    line = (mark.line if mark else 0) and mark.line + isinstance(error, ScannerError)
    return (
        f"yaml: {f'line {line}: ' if line else ''}{error.problem or 'unknown problem parsing YAML content'}"
    )


@dataclass(frozen=True, slots=True)
class _Value:
    """A node that is complete."""

    text: str  # as JSON
    pairs: Pairs | None = None  # of a mapping
    items: tuple[_Value, ...] | None = None  # of a sequence
    is_merge: bool = False  # the scalar <<
    line: int = 0  # at which it begins

    @property
    def is_scalar(self) -> bool:
        """Whether it is neither a mapping nor a sequence."""
        return self.pairs is None and self.items is None


@dataclass(slots=True)
class _Sequence:
    """A sequence whose end is still to come."""

    anchor: str | None
    line: int
    items: list[_Value] = field(default_factory=list)

    def take(self, value: _Value) -> None:
        self.items.append(value)

    def end(self) -> _Value:
        return _Value(
            f"[{','.join(item.text for item in self.items)}]", items=tuple(self.items), line=self.line
        )


@dataclass(slots=True)
class _Mapping:
    """A mapping whose end is still to come; nodes come as key, value, key, value."""

    anchor: str | None
    line: int
    budget: _Budget
    repeated: list[str]
    pairs: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    key: _Value | None = None

    def take(self, value: _Value) -> None:
        if self.key is None:
            if not value.is_scalar:
                raise ValueError("a key is no scalar")
            self.key = value
            return
        if self.key.is_merge:
            self._merge(value)
        else:
            key = _key(self.key.text)
            if key in self.pairs:
                self.repeated.append(f"line {value.line + 1}: key {self.key.text} already set in map")
            self.pairs[key] = value.text
        self.key = None

    def end(self) -> _Value:
        """Return the pairs that were merged and not repeated here, then those that stand here."""
        pairs = (
            *(pair for pair in self.merged.items() if pair[0] not in self.pairs),
            *self.pairs.items(),
        )
        return _Value(f"{{{','.join(f'{key}:{text}' for key, text in pairs)}}}", pairs=pairs, line=self.line)

    def _merge(self, value: _Value) -> None:
        """Return the pairs of a mapping, or of several, of which the first counts."""
        for source in (value,) if value.items is None else value.items:
            if source.pairs is None:
                raise ValueError("a merge key (<<) has to have a mapping, or a list of mappings")
            for key, text in source.pairs:
                self.budget.spend(len(key) + len(text))
                self.merged.setdefault(key, text)


@dataclass(slots=True)
class _Budget:
    """How much may still be written."""

    left: int = _LARGEST
    nodes: int = _MOST_NODES

    def spend(self, characters: int) -> None:
        self.left -= characters
        self.nodes -= 1
        if self.left < 0:
            raise ValueError("it, or what its aliases unfold to, is more than 3 MiB")
        if self.nodes < 0:
            raise ValueError(f"it, or what its aliases unfold to, has more than {_MOST_NODES} nodes")


def _fold(events: Iterable[Any]) -> Converted:
    """Fold the events of a stream into the JSON of its one document; an empty stream says null."""
    import yaml

    budget, scalars = _Budget(), _Scalars()
    anchors: dict[str, _Value] = {}
    stack: list[_Sequence | _Mapping] = []
    repeated: list[str] = []
    document: _Value | None = None
    for event in events:
        match event:
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                stack.append(_begin(event, budget, repeated, len(stack)))
                continue
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                ended = stack.pop()
                value, anchor = ended.end(), ended.anchor
                budget.spend(2)
            case yaml.ScalarEvent():
                value, anchor = scalars.read(event), event.anchor
                if line := _line(event):
                    value = replace(value, line=line)
                budget.spend(len(value.text) + 1)
            case yaml.AliasEvent():
                value, anchor = _aliased(anchors, event.anchor), None
                budget.spend(len(value.text) + 1)
            case _:  # a stream or a document begins or ends
                continue
        if anchor is not None:
            anchors[anchor] = value
        if stack:
            stack[-1].take(value)
        elif document is not None:
            raise ValueError("it has more than one document")
        else:
            document = value
    return Converted((document.text if document else "null").encode(), tuple(repeated[:_MOST_REPEATED]))


def _begin(event: Any, budget: _Budget, repeated: list[str], depth: int) -> _Sequence | _Mapping:
    import yaml

    if depth >= _DEEPEST:
        raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
    if isinstance(event, yaml.SequenceStartEvent):
        return _Sequence(event.anchor, _line(event))
    return _Mapping(event.anchor, _line(event), budget, repeated)


def _line(event: Any) -> int:
    """Return at which line an event begins, counted from 0."""
    return int(event.start_mark.line)


def _aliased(anchors: dict[str, _Value], name: str | None) -> _Value:
    if name is None or name not in anchors:
        raise ValueError(f"the alias *{name} stands for nothing that is complete before it")
    return anchors[name]


class _Scalars:
    """Reads the scalars of one document as YAML 1.1 does."""

    def __init__(self) -> None:
        from yaml import ScalarNode
        from yaml.constructor import SafeConstructor
        from yaml.resolver import Resolver

        self._node = ScalarNode
        self._construct = SafeConstructor()
        self._resolver: Any = Resolver()  # the stubs give its method no types
        self._plain: dict[str, _Value] = {}  # documents say the same words again and again

    def read(self, event: Any) -> _Value:
        """Read a scalar."""
        if event.tag in {None, "!"} and event.implicit[0]:
            if event.value not in self._plain:
                tag = self._resolver.resolve(self._node, event.value, (True, False))
                self._plain[event.value] = _Value(self._json(tag, event.value), is_merge=tag == _MERGE)
            return self._plain[event.value]
        tag = event.tag or ""
        return _Value(self._json(tag, event.value), is_merge=tag == _MERGE)

    def _json(self, tag: str, text: str) -> str:
        if tag == _NULL:
            return "null"
        if tag not in {_BOOL, _INT, _FLOAT}:
            return json.dumps(text)
        if len(text) > _LONGEST_NUMBER:
            raise ValueError(f"{text[:20]}… is too long for a number")
        node = self._node(tag, text)
        if tag == _FLOAT:
            return self._float(node)
        read = self._construct.construct_yaml_bool if tag == _BOOL else self._construct.construct_yaml_int
        return json.dumps(read(node))

    def _float(self, node: Any) -> str:
        number = self._construct.construct_yaml_float(node)
        if not math.isfinite(number):
            raise ValueError(f"{node.value} is no JSON number")
        return json.dumps(number)


def _key(text: str) -> str:
    """Return a key as Kubernetes does: everything becomes a string, `true` the string "true"."""
    return text if text.startswith('"') else json.dumps(text)
