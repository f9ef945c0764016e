"""What a check finds, and the sentences that it is told in: kubectl shows them, and people search for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from apiserver.core.values import Json

_CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")


class Violation(NamedTuple):
    """One rule that a pod breaks."""

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


Check: TypeAlias = Callable[[Json, Json], Violation | None]
"""Judges the metadata and the spec of a pod, or of a template; None: it keeps to the rule."""


def reasons(found: Iterable[Violation]) -> str:
    """Return what was broken, for many pods at once."""
    return ", ".join(violation.reason for violation in found)


def details(found: Iterable[Violation]) -> str:
    """Return what was broken, and where."""
    return ", ".join(map(str, found))


def containers(spec: Json) -> Iterator[Json]:
    """Yield every container of a pod, of whichever sort."""
    for field in _CONTAINERS:
        yield from spec.get(field) or ()


def security(part: Json) -> Json:
    """Return the security context of a pod's spec or of a container; an empty one where there is none."""
    return part.get("securityContext") or {}


def names_where(spec: Json, broken: Callable[[Json], object]) -> list[str]:
    """Return the names of the containers that break a rule, in their order."""
    return [container.get("name", "") for container in containers(spec) if broken(container)]


def plural(many: Collection[object], one: str, several: str = "") -> str:
    """Return a word as its number demands."""
    return one if len(many) == 1 else several or f"{one}s"


def quoted(items: Iterable[str]) -> str:
    """Return names in quotes, with commas between them."""
    return ", ".join(f'"{item}"' for item in items)


def in_containers(names: Sequence[str]) -> str:
    """Return `container "a"` or `containers "a", "b"`."""
    return f"{plural(names, 'container')} {quoted(names)}"


def setters(pod_too: bool, names: Sequence[str]) -> str:  # noqa: FBT001 - the two places where a field may stand
    """Return who has set something: `pod`, `container "a"`, `pod and containers "a", "b"`; "" for nobody."""
    found = ["pod"] if pod_too else []
    if names:
        found.append(in_containers(names))
    return " and ".join(found)
