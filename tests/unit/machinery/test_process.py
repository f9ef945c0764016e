import errno
import io
import os
from dataclasses import dataclass
from typing import Literal

import pytest

from machinery.client.in_cluster import InCluster
from machinery.process.config import (
    REQUIRED,
    ComponentConfig,
    ConfigError,
    as_in_cluster,
    parse,
    setting,
    to_argv,
)
from machinery.process.health import Health
from machinery.process.logging import Log
from machinery.process.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleConfig(ComponentConfig):
    listen: tuple[str, ...] = setting((), help="addresses")
    pace: Literal["slow", "quick"] = setting("slow", help="how fast")
    count: int = setting(1, help="how many")
    dry: bool = setting(default=False, help="do nothing")

    def validate(self) -> None:
        ComponentConfig.validate(self)
        if self.count < 1:
            raise ConfigError("count", f"has to be at least 1, not {self.count}")


class FullDisk(io.StringIO):
    """A stream that takes nothing while `is_full`."""

    is_full = True

    def write(self, text: str) -> int:
        """Refuse, as the kernel does."""
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


def test_a_log_on_a_full_disk_ends_nobody():
    """Lines are lost, and the next one that can be written says so; once, whichever log of the stream it is."""
    stream = FullDisk()
    log = Log("x", stream=stream)
    inner = log.bind(pod="p")
    for _ in range(3):
        log.info("one")
        inner.error("two")
    stream.is_full = False
    inner.info("three")
    log.info("four")
    events = [line.split("event=")[1] for line in stream.getvalue().splitlines()]
    assert events == ["log_lines_lost at_most=6", "three pod=p", "four"]


def test_a_configuration_survives_its_command_line():
    """What `to_argv` writes, `parse` reads back."""
    config = SampleConfig(listen=("a:1", "b:2"), pace="quick", count=3, dry=True, time_scale=2.5)
    assert parse(SampleConfig, to_argv(config)) == config


@pytest.mark.parametrize(
    "argv",
    [
        ["--listen=a:1,b:2", "--count=1", "--count=3", "--dry=true", "--pace=quick"],
        ["--listen", "a:1,b:2", "--count", "3", "--dry", "--pace", "quick"],
        ["--listen=a:1,b:2", "--count=3", "--dry", "--pace=quick"],
    ],
)
def test_people_write_a_command_line_as_they_like(argv: list[str]):
    """With and without equals signs; of two of a flag the last one counts."""
    wanted = SampleConfig(listen=("a:1", "b:2"), pace="quick", count=3, dry=True)
    assert parse(SampleConfig, argv) == wanted


def test_what_has_to_be_given_is_asked_for(capsys):
    """A flag without a default."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Strict(ComponentConfig):
        place: str = setting(REQUIRED, help="where")

    assert parse(Strict, ["--place=here"]).place == "here"
    with pytest.raises(SystemExit):
        parse(Strict, ["--name=x"])
    assert "--place" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--count=0"], "--count: has to be at least 1"),
        (["--count=many"], "--count"),
        (["--pace=fast"], "has to be one of slow, quick"),
        (["--time-scale=0"], "--time-scale: has to be above 0"),
        (["--ca-file=/does/not/exist"], "--ca-file: /does/not/exist does not exist"),
        (["--unknown=1"], "--unknown"),
        (["--cert-file=/dev/null"], "--cert-file: goes together with --key-file"),
    ],
)
def test_a_wrong_flag_ends_the_process_and_is_named(argv, said, capsys):
    """Exit code 2, and a line that names the flag."""
    with pytest.raises(SystemExit) as leaving:
        parse(SampleConfig, argv)
    assert leaving.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("argv", "code"), [(["--count=2"], 0), (["--count=0"], 2)])
def test_flags_can_be_checked_without_starting_anything(argv: list[str], code: int):
    """Whoever hands flags on asks before."""
    with pytest.raises(SystemExit) as leaving:
        parse(SampleConfig, [*argv, "--check-flags"])
    assert (leaving.value.code or 0) == code


def test_a_log_line_is_one_line_whatever_is_in_it():
    """Quotes and line breaks are escaped."""
    stream = io.StringIO()
    Log("scheduler", stream=stream).bind(node="node-1").info("pod_bound", pod="a b", note='x"\ny', took=0.5)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert ' component=scheduler event=pod_bound node=node-1 pod="a b" note="x\\"\\ny" took=0.5' in line


def test_a_level_below_the_threshold_is_not_written():
    """`debug` is silent at `info`."""
    stream = io.StringIO()
    Log("x", "info", stream).debug("noise")
    assert stream.getvalue() == ""


def test_metrics_are_rendered_for_prometheus():
    """Counters, gauges and cumulative buckets with labels."""
    metrics = Metrics()
    metrics.counter("done_total", "Done", ("result",)).add(2, 'o"k')
    metrics.histogram("took_seconds", "Took", buckets=(0.1, 1.0)).observe(0.5)
    text = metrics.render()
    assert 'done_total{result="o\\"k"} 2' in text
    assert 'took_seconds_bucket{le="0.1"} 0' in text
    assert 'took_seconds_bucket{le="+Inf"} 1' in text
    assert "process_resident_memory_bytes" in text
    assert "# TYPE process_cpu_seconds_total counter\n" in text
    [build] = [line for line in text.splitlines() if line.startswith("kubernetes_build_info{")]
    assert build.endswith("} 1")
    assert 'git_version="v1.36.0+kubarium",go_version="",major="1",minor="36",platform="linux/' in build


def test_a_name_is_one_kind_of_metric():
    """Asking for another kind is a bug that shows at once."""
    metrics = Metrics()
    metrics.counter("a", "A")
    with pytest.raises(TypeError):
        metrics.gauge("a", "A")


def test_ready_is_who_said_so_and_passes_every_check():
    """Each failing check is named."""
    health = Health(Metrics())
    assert health.answer("/readyz") == (503, "starting")
    health.is_ready = True
    problems = ["etcd is away"]
    health.add_check("etcd", lambda: problems[0] if problems else "")
    assert health.answer("/readyz") == (503, "etcd: etcd is away")
    problems.clear()
    assert health.answer("/readyz") == (200, "ok")
    assert health.answer("/livez") == health.answer("/healthz") == (200, "ok")
    assert health.answer("/nothing")[0] == 404


def test_in_a_pod_the_apiserver_is_found_by_what_the_kubelet_says():
    """The environment, the authority and the token's file; --server and the rest are left out."""
    pod = InCluster("https://10.96.0.1:443", "", "")
    config = as_in_cluster(SampleConfig(in_cluster=True, count=3), lambda: pod)
    assert (config.server, config.transport, config.count) == ("https://10.96.0.1:443", "rest", 3)


@pytest.mark.parametrize(
    ("given", "missing", "said"),
    [
        ({"server": "https://x:1"}, "", "goes without --server"),
        ({"cert_file": "c"}, "", "goes without --cert-file"),
        ({}, "this is no pod", "this is no pod"),
    ],
)
def test_who_is_in_no_pod_or_says_otherwise_is_told(given: dict[str, str], missing: str, said: str):
    """Before anything is dialled."""

    def find() -> InCluster:
        if missing:
            raise LookupError(missing)
        return InCluster("https://10.96.0.1:443", "", "")

    with pytest.raises(ConfigError, match=said) as refused:
        as_in_cluster(SampleConfig(in_cluster=True, **given), find)
    assert refused.value.field == "in_cluster"


@pytest.mark.parametrize("flags", [{"transport": "grpc"}, {"transport": "rest", "ca_file": ""}])
def test_a_token_goes_over_https_alone(flags: dict[str, str]):
    """To a server that is known by its authority."""
    with pytest.raises(ConfigError, match="goes with --transport rest"):
        SampleConfig(token_file=os.devnull, **{"ca_file": os.devnull, **flags}).validate()
