"""The captures of docs/networking.md: run anew on a cluster, and compared by their shape.

What is different in each cluster (addresses, ports above 999, devices, hashes) gets a name by its first appearance, on the page and
in the run alike, and keeps it from command to command: where the page shows one address in two places, the run has to have
one address there, too. Numbers that the page's files and commands say themselves count as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.transcript_run import Place, carry_out, execute, prepare
from tests.support.transcripts import Command, File, Step, compare, parse

PAGE = Path(__file__).parents[2] / "docs" / "networking.md"
CLUSTER = "dev"  # on the page
TITLE = "## Captures"
_KINDS = {
    "time": r"(?<= 6 )\d+(?= [A-Z])|(?<= 17 )\d+(?= )",  # of conntrack: seconds that are left
    "mac": r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}",
    "ip": r"\d+\.\d+\.\d+\.\d+",
    "veth": r"veth[0-9a-f]+",
    "trace": r"(?<=trace id )[0-9a-f]+",
    "chain": r"(?<=-)[0-9a-f]{16}\b",
    "question": r"\b\d+(?=[+*] )",  # of DNS: its id
    "number": r"\b\d{4,}\b",
}
_SEEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()))


@dataclass(slots=True)
class Names:
    """Which name what is seen has got; `fixed` is seen everywhere, and needs none."""

    fixed: frozenset[str]
    known: dict[str, str] = field(default_factory=dict)

    def told(self, line: str) -> str:
        """Return a line with names in it, and one space between its columns."""
        return _SEEN.sub(self._name, re.sub(r" {2,}", "  ", line.rstrip()))

    def copy(self) -> Names:
        """Return the same, to be tried."""
        return replace(self, known=dict(self.known))

    def _name(self, found: re.Match[str]) -> str:
        kind, text = found.lastgroup or "", found[0]
        if kind == "time":
            return "<time>"
        if text in self.fixed:
            return text
        return self.known.setdefault(text, f"<{kind}-{len(self.known) + 1}>")


class Captures:
    """Judges one command after another."""

    def __init__(self, steps: Sequence[Step]) -> None:
        said = " ".join(step.text if isinstance(step, File) else step.script for step in steps)
        fixed = frozenset(re.findall(r"\b\d{4,}\b", said))
        self._page, self._run = Names(fixed), Names(fixed)

    def judge(self, command: Command, printed: str, exit_code: int) -> str:
        """Return how a run's lines are different from the page's, as a diff; "" where they are of one shape."""
        page, run = self._page.copy(), self._run.copy()
        expected = replace(command, expected=tuple(map(page.told, command.expected)))
        difference = compare(expected, "\n".join(map(run.told, printed.splitlines())), exit_code)
        if not difference:
            self._page, self._run = page, run
        return f"{difference}\n{printed}" if difference else ""


def captures(text: str, cluster: str) -> list[Step]:
    """Read the page's captures as those of a cluster; their lines are numbered as on the page."""
    before, title, rest = text.partition(f"\n{TITLE}\n")
    assert title, f"no {TITLE}"
    own = rest.partition("\n## ")[0].replace(f"kubarium-{CLUSTER}.", f"kubarium-{cluster}.")
    return parse("\n" * (before.count("\n") + 2) + own)


def differences(cluster: str, place: Place) -> Iterator[str]:
    """Yield what a cluster shows otherwise than the page."""
    steps = captures(PAGE.read_text(), cluster)
    judge = Captures(steps).judge
    yield from filter(None, (carry_out(step, place, judge) for step in steps))


def taken_anew(cluster: str, place: Place) -> str:
    """Return the page with what a cluster prints now."""
    lines: list[str] = PAGE.read_text().splitlines()
    printed: list[tuple[Command, list[str]]] = []
    for step in captures(PAGE.read_text(), cluster):
        if isinstance(step, Command):
            said, code = _settled(step, place)
            ending = [f"[{code}]"] if code else []
            own = said.replace(f"kubarium-{cluster}.", f"kubarium-{CLUSTER}.")
            printed.append((step, [each.rstrip() for each in own.splitlines()] + ending))
        else:
            carry_out(step, place)
    for command, shown in reversed(printed):
        first = command.line - 1 + command.script.count("\n") + 1
        lines[first : first + len(command.expected) + bool(command.exit_code)] = shown
    return "".join(f"{line}\n" for line in lines)


def _settled(command: Command, place: Place) -> tuple[str, int]:
    """Run a command; one that is to be repeated, until it has printed as many lines twice."""
    before, found = None, execute(command.script, place)
    while command.repeat and before != found[0].count("\n"):
        before, found = found[0].count("\n"), execute(command.script, place)
    return found


def main(cluster: str, kubeconfig: str) -> None:
    """Write the page with what a running cluster shows now."""
    with TemporaryDirectory() as folder:
        place = prepare("captures", Path(kubeconfig), Path(folder), {})
        PAGE.write_text(taken_anew(cluster, place))


if __name__ == "__main__":
    main(*sys.argv[1:])
