"""Transcripts are read as people read them, and fail where what is printed is something else."""

from __future__ import annotations

import pytest

from tests.support.transcripts import Command, File, TranscriptError, compare, parse

PAGE = """\
# A topic

```yaml pod.yaml
kind: Pod
```

Words between.

```console
$ kubectl get pods
NAME   AGE
web    <age>
~ kubectl logs web |
> sort
[3]
$ true
```

```yaml
not: a file
```
"""


def test_a_page_is_read_in_its_order():
    """Files and commands, with what they print, their exit codes, and whether they are repeated."""
    assert parse(PAGE) == [
        File("pod.yaml", "kind: Pod\n"),
        Command(10, "kubectl get pods", ("NAME   AGE", "web    <age>"), 0, repeat=False),
        Command(13, "kubectl logs web |\nsort", (), 3, repeat=True),
        Command(16, "true", (), 0, repeat=False),
    ]


@pytest.mark.parametrize("page", ["```console\nno command\n```", "```console\n$ true\n", "```console\n```"])
def test_a_page_that_cannot_be_read_is_refused(page: str):
    """With the line."""
    with pytest.raises(TranscriptError, match=r"line [12]:"):
        parse(page)


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        ("", ""),
        ("web   1/1   <age>", "web  1/1     3m20s   "),
        ("at <ip> since <time>", "at 10.0.0.1 since 2026-01-01T00:00:00Z"),
        ("a\n...\nd", "a\nb\nc\nd"),
        ("a\n...\nd", "a\nd"),
        ("...\nb\n...\nb", "a\nb\nb\nc\nb"),
        ("...", ""),
        ("a.b (c) [d]*", "a.b (c) [d]*"),
        ("<none>", "<none>"),
    ],
)
def test_what_fits(expected: str, printed: str):
    """Ages, addresses and wide columns may be as they are; `...` stands for any lines."""
    command = Command(1, "true", tuple(expected.splitlines()), 0, repeat=False)
    assert compare(command, printed, 0) == ""


@pytest.mark.parametrize(
    ("expected", "printed", "code"),
    [
        ("a", "b", 0),
        ("a", "a\nb", 0),
        ("a\nb", "a", 0),
        ("a", "a", 1),
        ("", "a", 0),
        ("a b", "a  b", 0),
        ("  a", "    a", 0),
        ("web   1/1   <age>", "web 1/1 3m", 0),
        ("a\n...\nd", "a\nd\ne", 0),
        ("axb", "a.b", 0),
        ("a.b", "axb", 0),
        ("<none>", "<nil>", 0),
    ],
)
def test_what_does_not_fit(expected: str, printed: str, code: int):
    """A line too many or too few, other words, another indentation, another exit code."""
    command = Command(1, "true", tuple(expected.splitlines()), 0, repeat=False)
    assert compare(command, printed, code) != ""


def test_a_difference_shows_what_is_different_only():
    """Lines that fit stand in the diff as they are expected."""
    command = Command(1, "true", ("web <age>", "db <age>"), 0, repeat=False)
    assert compare(command, "web 3s\ndb now", 1).splitlines()[3:] == [
        " web <age>",
        "-db <age>",
        "+db now",
        "+[1]",
    ]
