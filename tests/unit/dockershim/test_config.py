"""What dockershim may be told."""

from __future__ import annotations

import pytest

from dockershim.config import DockershimConfig
from machinery.process.config import parse

GOOD = ["--cluster=c", "--node=n", "--socket=/run/cri.sock", "--state-dir=/s"]


def test_what_a_cluster_starts_it_with_is_enough():
    """The rest has defaults."""
    config = parse(DockershimConfig, GOOD)
    assert (config.docker_socket, config.streaming_listen) == ("/var/run/docker.sock", "127.0.0.1:0")


def test_a_purge_needs_a_cluster_only():
    """Without a node it means all of them."""
    assert parse(DockershimConfig, ["--purge", "--cluster=c"]).purge


@pytest.mark.parametrize(
    ("wrong", "flag"),
    [
        (["--cluster="], "--cluster"),
        (["--socket=/" + "x" * 100], "--socket"),
        (["--streaming-listen=0.0.0.0:80"], "--streaming-listen"),
        (["--streaming-listen=127.0.0.1:http"], "--streaming-listen"),
        (["--streaming-listen="], "--streaming-listen"),
    ],
)
def test_what_does_not_work_names_its_flag(wrong: list[str], flag: str, capsys: pytest.CaptureFixture[str]):
    """Before the first socket opens."""
    with pytest.raises(SystemExit):
        parse(DockershimConfig, [*GOOD, *wrong])
    assert flag in capsys.readouterr().err.splitlines()[-1]
