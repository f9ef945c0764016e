"""Logs of several components, as one story."""

from __future__ import annotations

import pytest

from kubarium.core.log_lines import LogLine, merged, read_duration_s, read_lines, select_lines, written

SCHEDULER = read_lines(
    "scheduler",
    ["time=2026-05-01T12:00:00.123Z level=info event=started\n", "Traceback\n", "time=2026-05-01T12:00:02Z event=bound"],
)  # fmt: skip
ETCD = read_lines("etcd", ['{"level":"warn","ts":"2026-05-01T12:00:01.5Z","msg":"slow"}\n'])


def test_lines_know_when_they_were_written():
    """A line without a time belongs to the one before; each has an end."""
    times = [line.at_s - SCHEDULER[0].at_s for line in SCHEDULER]
    assert times == pytest.approx([0, 0, 1.877])
    assert all(line.text.endswith("\n") for line in SCHEDULER)
    assert read_lines("x", ["no time\n"])[0].at_s == 0


def test_the_lines_of_several_components_are_one_story():
    """In the order of their times, a traceback behind what it belongs to."""
    assert [line.component for line in merged([SCHEDULER, ETCD])] == [
        "scheduler",
        "scheduler",
        "etcd",
        "scheduler",
    ]


def test_a_line_names_its_component_where_there_are_several():
    """In columns."""
    line = LogLine(0, "etcd", "text\n")
    assert written(line, {"etcd": 4}) == "text\n"
    assert written(line, {"etcd": 4, "scheduler": 9}) == "etcd      | text\n"


@pytest.mark.parametrize(
    ("tail", "since", "kept"),
    [(None, None, 3), (2, None, 2), (0, None, 0), (9, None, 3), (None, 1, 1), (1, 0, 1)],
)
def test_the_last_and_the_newest_lines_are_chosen(tail: int | None, since: int | None, kept: int):
    """Of those that are new enough the last ones."""
    since_s = None if since is None else SCHEDULER[0].at_s + since
    chosen = select_lines(SCHEDULER, tail=tail, since_s=since_s)
    assert chosen == SCHEDULER[3 - kept :]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), ("2d", 172800)]
)
def test_durations_are_read(text: str, seconds: float):
    """As kubectl writes them."""
    assert read_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "5min", "5x3s", "1e3s"])
def test_what_is_no_duration_is_refused(text: str):
    """With how to write one."""
    with pytest.raises(ValueError, match="is no duration; write it as 30s, 5m or 1h30m"):
        read_duration_s(text)
