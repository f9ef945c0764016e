"""A simulation as one page of HTML: nodes as boxes filled by requests, before and after, and who was left without a node.

The page needs nothing but itself: no script, no other file, nobody to ask (a policy in it forbids that). Who is new is told by
colour, by a frame and by a name; what ran before is grey and hatched. Light and dark follow the reader's setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Final

from kubarium.core.simulating.amounts import percent, written
from kubarium.core.simulating.report import Simulation
from kubarium.core.simulating.style import COLOURS, STYLE
from machinery.model.simulation import Amounts, NodeUse, Placement, PodOn

_RESOURCES: Final = (("cpu", "CPU"), ("memory", "Memory"))
_LARGE: Final = 60  # nodes; of more, boxes are small and have no names in them
_LETTER: Final = 3.6  # percent of a bar that a letter needs
_MOST_NAMED: Final = 12  # workloads in the legend
_MOST_LISTED: Final = 500  # pods in the table


@dataclass(frozen=True, slots=True)
class _Part:
    """Pods of one workload on one node."""

    label: str
    number: int
    requests: Amounts
    is_new: bool
    colour: int  # of COLOURS


def picture(found: Simulation, title: str = "Simulation") -> str:
    """Return the page; `title` is what the reader wants it to be called. What names and messages say is text in it."""
    placed, everyone = len(found.placed), len(found.placements)
    left = f", {everyone - placed} left without a node" if everyone > placed else ""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            f"<header><p>{escape(title)}</p><h1>{placed} of {everyone} pods placed{left}</h1>",
            *_totals(found),
            "</header><main>",
            *_left(found),
            *_evicted(found),
            *_legend(found),
            *_nodes(found),
            *_table(found),
            "</main></body></html>\n",
        ]
    )


def _totals(found: Simulation) -> Iterator[str]:
    yield '<ul class="totals">'
    yield f"<li><b>{len(found.after)}</b> nodes</li>"
    for resource, name in _RESOURCES:
        whole = sum(each.allocatable.get(resource, 0) for each in found.after)
        was, now = (
            sum(each.requested.get(resource, 0) for each in nodes) for nodes in (found.before, found.after)
        )
        yield (
            f"<li><b>{percent(was, whole)}&#8201;%&#8201;→&#8201;{percent(now, whole)}&#8201;%</b> {name} requested"
            f" ({written(resource, now)} of {written(resource, whole)})</li>"
        )
    yield "</ul>"


def _left(found: Simulation) -> Iterator[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    for each in found.left:
        groups.setdefault((each.reason, each.message), []).append(f"{each.namespace}/{each.name}")
    if not groups:
        return
    yield '<section class="left"><h2>Left without a node</h2>'
    for (reason, message), names in groups.items():
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        first, _, rest = message.partition(". ")
        yield f"<article><h3>{escape(shown)}</h3><p><b>{escape(reason)}</b> {escape(first)}</p>"
        yield f"<p class=rest>{escape(rest)}</p></article>" if rest else "</article>"
    yield "</section>"


def _evicted(found: Simulation) -> Iterator[str]:
    if found.evicted:
        yield '<section class="left"><h2>Taken away for pods of higher priority</h2><ul>'
        yield from (f"<li>{escape(each)}</li>" for each in found.evictions())
        yield "</ul></section>"


def _legend(found: Simulation) -> Iterator[str]:
    colours = _colours(found)
    yield '<ul class="legend" aria-label="Legend">'
    yield '<li><span class="bar before"></span>thin: before</li><li><span class="bar after"></span>thick: after</li>'
    if found.running:
        yield '<li><span class="part old"></span>ran before</li>'
    for name, colour in list(colours.items())[:_MOST_NAMED]:
        yield f'<li><span class="part new c{colour}"></span>{escape(name)}</li>'
    if len(colours) > _MOST_NAMED:
        yield f"<li>and {len(colours) - _MOST_NAMED} more, in the same colours</li>"
    yield "</ul>"


def _nodes(found: Simulation) -> Iterator[str]:
    colours = _colours(found)
    running = _by_node(found.running)
    placed = _by_node(found.placed)
    evicted = {(each.namespace, each.name) for each in found.evicted}
    size = "small" if len(found.after) > _LARGE else "large"
    yield f'<section class="nodes {size}" aria-label="Nodes">'
    for was, now in zip(found.before, found.after, strict=True):
        old = list(_parts(running.get(now.name, ()), found.groups, {}))
        new = list(_parts(placed.get(now.name, ()), found.groups, colours))
        stayed = [each for each in running.get(now.name, ()) if (each.namespace, each.name) not in evicted]
        kept = list(_parts(stayed, found.groups, {}))
        pods = now.requested.get("pods", 0)
        yield f'<article tabindex="0"><h2>{escape(now.name)}</h2><p class="pods">{pods} {"pod" if pods == 1 else "pods"}</p>'
        extended = [(each, each) for each in sorted(now.allocatable) if "/" in each]
        for resource, name in (*_RESOURCES, *extended):
            yield from _bars(resource, name, was, now, old, [*kept, *new])
        yield f"<p class=who>{escape(', '.join(map(_label, (*new, *kept))) or 'empty')}</p></article>"
    yield "</section>"


def _bars(
    resource: str, name: str, was: NodeUse, now: NodeUse, old: Sequence[_Part], new: Sequence[_Part]
) -> Iterator[str]:
    whole = now.allocatable.get(resource, 0)
    before, after = was.requested.get(resource, 0), now.requested.get(resource, 0)
    yield (
        f"<h3>{escape(name)} <b>{percent(before, whole)}&#8201;%&#8201;→&#8201;{percent(after, whole)}&#8201;%</b>"
        f" <span>{written(resource, after)} of {written(resource, whole)}</span></h3>"
    )
    yield _bar(resource, "before", whole, before, old)
    yield _bar(resource, "after", whole, after, new)


def _bar(resource: str, when: str, whole: int, requested: int, parts: Sequence[_Part]) -> str:
    told = f"{when}: {written(resource, requested)} of {written(resource, whole)}"
    filled = "".join(_filled(resource, whole, each) for each in parts if each.requests.get(resource))
    return f'<div class="bar {when}" role="img" aria-label="{escape(told)}">{filled}</div>'


def _filled(resource: str, whole: int, part: _Part) -> str:
    amount = part.requests[resource]
    share = 100 * amount / whole if whole else 0.0
    name = escape(_label(part))
    kind = f"new c{part.colour}" if part.is_new else "old"
    return (
        f'<span class="part {kind}" style="width:{share:.2f}%" title="{name}: {written(resource, amount)}">'
        f"{name if share >= _LETTER * (len(_label(part)) + 1) else ''}</span>"
    )


def _label(part: _Part) -> str:
    return f"{part.label} \N{MULTIPLICATION SIGN}{part.number}" if part.number > 1 else part.label


def _parts(
    pods: Iterable[Placement | PodOn], groups: Mapping[int, str], colours: Mapping[str, int]
) -> Iterator[_Part]:
    def group(pod: Placement | PodOn) -> str:
        return groups.get(pod.number, pod.name)

    for name, same in groupby(sorted(pods, key=group), key=group):
        members = list(same)
        total: Amounts = {}
        for each in members:
            for resource, amount in each.requests.items():
                total[resource] = total.get(resource, 0) + amount
        yield _Part(name, len(members), total, name in colours, colours.get(name, 0))


def _colours(found: Simulation) -> dict[str, int]:
    """Return the colour of each workload that came, in the order of their pods; after the last colour the first comes again."""
    names = dict.fromkeys(found.groups.get(each.number, each.name) for each in found.placements)
    return {name: number % len(COLOURS) for number, name in enumerate(names)}


def _by_node(pods: Iterable[Placement | PodOn]) -> dict[str, list[Placement | PodOn]]:
    found: dict[str, list[Placement | PodOn]] = {}
    for each in pods:
        found.setdefault(each.node, []).append(each)
    return found


def _table(found: Simulation) -> Iterator[str]:
    if not found.placed:
        return
    shown = found.placed[:_MOST_LISTED]
    yield f"<details><summary>Every decision, in order ({len(found.placed)})</summary><table><thead><tr>"
    yield "<th>pod<th>node<th>score<th>ties</tr></thead><tbody>"
    for each in sorted(shown, key=lambda each: each.order):
        yield f"<tr><td>{escape(each.namespace)}/{escape(each.name)}<td>{escape(each.node)}<td>{each.score}<td>{each.ties}</tr>"
    yield "</tbody></table>"
    if len(found.placed) > len(shown):
        yield f"<p>The first {len(shown)} are shown; kubarium simulate -o json has all.</p>"
    yield "</details>"
