"""Transcripts of a terminal that are run as tests: Markdown pages that say what a person types and then sees.

The blocks of a page count, in their order; the words between them are for people:

- ``` ```yaml pod.yaml ```: a file of that name is written into the folder that the page's commands run in;
- ``` ```console ```: commands, each run by a bash of its own, with what they print, errors included.

In a console block a line that begins with `$ ` is a command that is run once, `~ ` one that is run again and again until it
prints what stands below it. `> ` continues a command. What stands below it is compared line by line:

- `<age>`, `<uid>` and the other names of `PATTERNS` stand for what is different each time;
- two or more spaces inside a line stand for two or more (columns are as wide as their widest cell), and those at its end do not count;
- a line `...` stands for any number of lines, also for none;
- a last line `[3]` is the exit code, where it is not 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import TypeAlias

ELLIPSIS = "..."
PATTERNS = {
    "age": r"(?:\d+[smhdy])+",
    "any": r".*",
    "hash": r"[a-z0-9]+",
    "ip": r"\d+\.\d+\.\d+\.\d+",
    "number": r"\d+",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
    "date": r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
    "uid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "url": r"https://[\d.:]+",
}

_FENCE = re.compile(r"^```(\S*)(?: +(\S+))?$")
_PROMPTS = {"$ ": False, "~ ": True}
_EXIT = re.compile(r"^\[(\d+)\]$")
_VARIABLE = re.compile(rf"<({'|'.join(PATTERNS)})>|(?<=\S)( {{2,}})(?=\S)")


class TranscriptError(ValueError):
    """A page cannot be read; the message names the line."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command, where it stands, and what it has to print."""

    line: int
    script: str
    expected: tuple[str, ...]
    exit_code: int
    repeat: bool


Step: TypeAlias = File | Command


def parse(text: str) -> list[Step]:
    """Read a page.

    Raises:
        TranscriptError: a block has no end, or begins without a command.
    """
    steps: list[Step] = []
    for first, language, name, lines in _blocks(text):
        if language == "console":
            steps.extend(_commands(first, lines))
        elif name:
            steps.append(File(name, "".join(f"{line}\n" for line in lines)))
    return steps


def _blocks(text: str) -> Iterator[tuple[int, str, str, list[str]]]:
    """Yield each fenced block: the number of its first line, its language, its file's name, its lines."""
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        if not (fence := _FENCE.match(line)):
            continue
        inside: list[str] = []
        for _, each in lines:
            if each == "```":
                break
            inside.append(each)
        else:
            raise TranscriptError(f"line {number}: the block has no end")
        yield number + 1, fence[1], fence[2] or "", inside


def _commands(first: int, lines: Sequence[str]) -> Iterator[Command]:
    begins = [index for index, line in enumerate(lines) if line[:2] in _PROMPTS]
    if not begins or begins[0] != 0:
        raise TranscriptError(f"line {first}: a console block begins with a command")
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        yield _command(first + begin, lines[begin:end])


def _command(number: int, lines: Sequence[str]) -> Command:
    rest = list(lines[1:])
    script = [lines[0][2:]]
    while rest and (rest[0] == ">" or rest[0].startswith("> ")):
        script.append(rest.pop(0)[2:])
    exit_code = int(found[1]) if rest and (found := _EXIT.match(rest[-1])) else 0
    expected = rest[:-1] if exit_code else rest
    return Command(number, "\n".join(script), tuple(expected), exit_code, _PROMPTS[lines[0][:2]])


def compare(command: Command, printed: str, exit_code: int) -> str:
    """Return how what a command did is different from what it had to do, as a diff; "" where it is as expected."""
    actual = [line.rstrip() for line in printed.splitlines()]
    patterns = [_pattern(line) for line in command.expected]
    if exit_code == command.exit_code and _matches(patterns, actual):
        return ""
    expected = [*command.expected, *_ending(command.exit_code)]
    shown = [*_as_expected(command.expected, actual), *_ending(exit_code)]
    return "\n".join(unified_diff(expected, shown, "expected", "printed", lineterm="", n=100))


def _ending(exit_code: int) -> list[str]:
    return [f"[{exit_code}]"] if exit_code else []


def _pattern(line: str) -> re.Pattern[str] | None:
    """Compile an expected line; None stands for any number of lines."""
    if line == ELLIPSIS:
        return None
    pieces = []
    end = 0
    for found in _VARIABLE.finditer(line.rstrip()):
        pieces += [re.escape(line[end : found.start()]), PATTERNS[found[1]] if found[1] else " {2,}"]
        end = found.end()
    return re.compile("".join([*pieces, re.escape(line[end:].rstrip())]))


def _matches(patterns: Sequence[re.Pattern[str] | None], lines: Sequence[str]) -> bool:
    """Whether lines fit: a walk over them that keeps every place in the patterns where it may stand."""
    places = _with_skips({0}, patterns)
    for line in lines:
        stays = {at for at in places if at < len(patterns) and patterns[at] is None}
        steps = {at + 1 for at in places - stays if at < len(patterns) and _fits(patterns[at], line)}
        places = _with_skips(stays | steps, patterns)
    return len(patterns) in places


def _fits(pattern: re.Pattern[str] | None, line: str) -> bool:
    return pattern is None or pattern.fullmatch(line) is not None


def _with_skips(places: set[int], patterns: Sequence[re.Pattern[str] | None]) -> set[int]:
    """Add the places behind each `...`, which may stand for nothing."""
    reached = set(places)
    for at, pattern in enumerate(patterns):
        if pattern is None and at in reached:
            reached.add(at + 1)
    return reached


def _as_expected(expected: Sequence[str], actual: Sequence[str]) -> list[str]:
    """Show printed lines in the words of the expected ones that they fit, so that a diff shows only what is different."""
    known = [(line, pattern) for line in expected if (pattern := _pattern(line)) is not None]
    return [next((line for line, pattern in known if pattern.fullmatch(each)), each) for each in actual]
