"""What the engine says of a container, as CRI has it."""

from __future__ import annotations

import pytest

from dockershim.core.images import ImageNames
from dockershim.core.naming import (
    Scope,
    container_labels,
    container_name,
    read_container_config,
    sandbox_name,
)
from dockershim.core.states import is_chosen, log_path, view_container_status, view_sandbox_status
from dockershim.core.times import format_since, parse_ns
from machinery.pb import cri_pb2 as cri
from tests.support.dockershim import SCOPE, container_config, inspected, pod_metadata

UNKNOWN = ImageNames("", "")


def test_names_tell_attempts_apart():
    """And nothing else but the metadata is in them."""
    assert sandbox_name(pod_metadata(2)) == "k8s_POD_web_default_u1_2"
    name = container_name(cri.ContainerMetadata(name="main", attempt=3), pod_metadata(2))
    assert name == "k8s_main_web_default_u1_3"


def test_labels_give_the_configuration_back_without_its_secrets():
    """The environment is not repeated in them."""
    config = container_config(
        annotations={"a": "b"}, labels={"app": "x"}, envs=[cri.KeyValue(key="PASSWORD", value="secret")]
    )
    back = read_container_config(container_labels(SCOPE, config, "s"))
    assert (dict(back.annotations), dict(back.labels), list(back.envs)) == ({"a": "b"}, {"app": "x"}, [])


def test_a_scope_holds_its_own_containers_only():
    """Another cluster's or node's do not exist for us."""
    labels = container_labels(SCOPE, container_config(), "s")
    assert SCOPE.holds(labels)
    assert Scope("blue").holds(labels)
    assert not Scope("blue", "node-2").holds(labels)
    assert not Scope("green").holds(labels)
    assert not SCOPE.holds({})


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("created", cri.CONTAINER_CREATED),
        ("running", cri.CONTAINER_RUNNING),
        ("paused", cri.CONTAINER_RUNNING),
        ("exited", cri.CONTAINER_EXITED),
        ("dead", cri.CONTAINER_EXITED),
        ("removing", cri.CONTAINER_EXITED),
    ],
)
def test_the_engines_words(word: str, state: int):
    """Every one of them has a CRI state."""
    assert inspected(status=word).state == state


@pytest.mark.parametrize(
    ("code", "oom", "reason"), [(0, False, "Completed"), (1, False, "Error"), (137, True, "OOMKilled")]
)
def test_how_it_ended(code: int, oom: bool, reason: str):
    """In one word."""
    details = inspected(status="exited", ExitCode=code, OOMKilled=oom, FinishedAt="2026-05-01T12:00:02Z")
    status = view_container_status(details, log_path="", names=UNKNOWN)
    assert (status.exit_code, status.reason) == (code, reason)


def test_an_end_is_never_before_the_start():
    """The engine's clock readings of a short-lived container can be the wrong way round."""
    details = inspected(status="exited", FinishedAt="2026-05-01T12:00:00.9Z")
    status = view_container_status(details, log_path="", names=UNKNOWN)
    assert status.finished_at == status.started_at


def test_a_failed_start_is_an_end():
    """With 128, StartError and the engine's text; the engine itself calls it created."""
    details = inspected(
        status="created", Error="no such file", ExitCode=127, StartedAt="0001-01-01T00:00:00Z"
    )
    status = view_container_status(details, log_path="", names=UNKNOWN, failed_ns=5)
    assert (status.state, status.exit_code, status.reason) == (cri.CONTAINER_EXITED, 128, "StartError")
    assert "no such file" in status.message
    assert (status.started_at, status.finished_at) == (0, 5)


def test_resources_are_those_that_the_engine_enforces():
    """Not those that were asked for once."""
    status = view_container_status(inspected(), log_path="", names=UNKNOWN)
    assert (status.resources.linux.cpu_shares, status.resources.linux.memory_limit_in_bytes) == (128, 1024)


@pytest.mark.parametrize(
    ("made_from", "tag", "shown"),
    [
        ("sha256:1", "busybox:1.36", "busybox:1.36"),
        ("sha256:1", "", "sha256:1"),
        ("app:2", "busybox:1.36", "app:2"),
    ],
)
def test_a_container_made_from_an_id_shows_the_images_name(made_from: str, tag: str, shown: str):
    """A kubelet makes them so, and writes what it sees into the pod; a name stays the one that was asked for."""
    config = container_config(image=cri.ImageSpec(image=made_from, user_specified_image="busybox"))
    details = inspected(config=config)
    status = view_container_status(details, log_path="", names=ImageNames("busybox@sha256:2", tag))
    assert (status.image.image, status.image.user_specified_image) == (shown, "busybox")
    assert (status.image_ref, status.image_id) == ("busybox@sha256:2", "sha256:1")


def test_a_sandbox_without_its_network_is_not_ready():
    """It runs, but somebody was killed half-way."""
    details = inspected(sandbox=True)
    assert view_sandbox_status(details, connected=False, addresses=()).state == cri.SANDBOX_NOTREADY
    ready = view_sandbox_status(details, connected=True, addresses=("10.0.0.2", "fd00::2"))
    assert (ready.state, ready.network.ip) == (cri.SANDBOX_READY, "10.0.0.2")
    assert [item.ip for item in ready.network.additional_ips] == ["fd00::2"]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("", 0),
        ("0001-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:01.123456789Z", 1_123_456_789),
        ("1970-01-01T01:00:01.000000001+01:00", 1_000_000_001),
    ],
)
def test_timestamps(text: str, ns: int):
    """To the nanosecond."""
    assert parse_ns(text) == ns


def test_since_is_exact():
    """No floating point is in the way."""
    assert format_since(1_777_777_777_000_000_001) == "1777777777.000000001"


def test_filters_take_the_beginning_of_an_id():
    """And all the labels."""
    chosen = cri.ContainerFilter(id="ab", label_selector={"x": "1"})
    assert is_chosen("abc", {"x": "1", "y": "2"}, chosen)
    assert not is_chosen("abc", {"x": "2"}, chosen)
    assert not is_chosen("xabc", {"x": "1"}, chosen)


def test_log_paths():
    """A container without a log has none."""
    assert log_path("/logs/web/", "main/0.log") == "/logs/web/main/0.log"
    assert log_path("", "main/0.log") == log_path("/logs", "") == ""
