"""Lines of log files, and whose log is meant."""

from __future__ import annotations

import pytest

from kubelet.core.log_lines import (
    LoggedContainer,
    LogSelector,
    LogWishes,
    choose_log,
    nanoseconds,
    parse_line,
)
from machinery.model.errors import BadRequest
from machinery.model.k8s.core_v1 import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    PodStatus,
)
from tests.support.builders import changed, pod

T = b"2026-01-01T00:00:00.000000001Z"


def test_lines_are_read():
    """Whole lines get their break back, parts do not; a torn line is none."""
    assert parse_line(T + b" stdout F a b\n").content == b"a b\n"
    assert parse_line(T + b" stderr P a\n").content == b"a"
    assert parse_line(T + b" stdout F\n").content == b"\n"
    assert parse_line(b"00:00Z stdo") is None


def test_what_is_shown():
    """One stream, from a moment on, with one timestamp for a line in parts."""
    lines = [T + b" stdout P a", T + b" stdout F b", T + b" stderr F c"]
    assert b"".join(map(LogSelector(LogWishes()).show, lines)) == b"ab\nc\n"
    stamped = LogSelector(LogWishes(timestamps=True, stream="stdout"))
    assert b"".join(map(stamped.show, lines)) == T + b" ab\n"
    later = LogSelector(LogWishes(since_ns=nanoseconds(T.decode()) + 1))
    assert b"".join(map(later.show, lines)) == b""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T01:00:00.000000001+01:00", 1),
    ],
)
def test_nanoseconds(text: str, expected: int):
    """Finer than datetime, in any zone."""
    assert nanoseconds(text) == expected


RUNNING = LoggedContainer("new", 1, running=True, log_path="/1")
ENDED = LoggedContainer("new", 1, running=False, log_path="/1")
OLD = LoggedContainer("old", 0, running=False, log_path="/0")


def _pod(state: ContainerState | None = None):
    status = ContainerStatus(name="main", image="", imageID="", ready=False, restartCount=0, state=state)
    return changed(pod(), status=PodStatus(containerStatuses=[status]))


def _waiting(reason: str) -> ContainerState:
    return ContainerState(waiting=ContainerStateWaiting(reason=reason))


def test_the_newest_attempt_is_meant_and_the_one_before_on_request():
    """While a container waits to be restarted, its last attempt is the previous one."""
    ended = ContainerState(terminated=ContainerStateTerminated(exitCode=1))
    assert choose_log(_pod(), "main", [RUNNING, OLD], previous=False) is RUNNING
    assert choose_log(_pod(), "main", [RUNNING, OLD], previous=True) is OLD
    assert choose_log(_pod(ended), "main", [ENDED, OLD], previous=True) is OLD
    waiting = _pod(_waiting("CrashLoopBackOff"))
    assert choose_log(waiting, "main", [ENDED, OLD], previous=True) is ENDED
    assert choose_log(waiting, "main", [ENDED, OLD], previous=False) is ENDED


@pytest.mark.parametrize(
    ("state", "previous", "message"),
    [
        (None, True, 'previous terminated container "main" in pod "web" not found'),
        (
            _waiting("ContainerCreating"),
            False,
            'container "main" in pod "web" is waiting to start: ContainerCreating',
        ),
        (
            _waiting("ImagePullBackOff"),
            False,
            'container "main" in pod "web" is waiting to start: trying and failing to pull image',
        ),
        (
            _waiting("ErrImagePull"),
            False,
            'container "main" in pod "web" is waiting to start: image can\'t be pulled',
        ),
        (None, False, 'container "main" in pod "web" is waiting to start - no logs yet'),
    ],
)
def test_why_there_is_no_log(state: ContainerState | None, message: str, *, previous: bool):
    """In the words that users of kubectl know."""
    with pytest.raises(BadRequest) as caught:
        choose_log(_pod(state), "main", [], previous=previous)
    assert caught.value.message == message


def test_a_pod_that_has_no_status_yet():
    """Nothing is known of the container."""
    with pytest.raises(BadRequest, match='container "main" in pod "web" is not available'):
        choose_log(pod(), "main", [], previous=False)
