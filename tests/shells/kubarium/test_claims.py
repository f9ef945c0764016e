"""Who is at a cluster or a slot, with real locks of real processes, and what of a cluster is found on the machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kubarium import Cluster, homes, preflight, remains
from kubarium.claims import SlotClaims, cluster_locked
from kubarium.core.layout import Layout
from kubarium.ending import end
from kubarium.errors import KubariumError
from kubarium.host.docker_host import docker_socket
from machinery.process.search_path import search_path

HOLDER = """
import sys
from pathlib import Path
from kubarium.claims import SlotClaims, cluster_locked
with cluster_locked("t", Path(sys.argv[1]), patience_s=1), SlotClaims() as claims:
    claims.claim(int(sys.argv[2]))
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def _holder(home: Path, slot: int = 248) -> Iterator[subprocess.Popen[str]]:
    """Another process that is at cluster "t" and has a slot, which is the machine's: one test alone looks at its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home), str(slot)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_who_comes_second_is_told_who_is_at_it(tmp_path: Path):
    """By its pid; other clusters of the same folder are free."""
    told: list[str] = []
    with _holder(tmp_path) as other:
        with cluster_locked("u", tmp_path, patience_s=0) as waited:
            assert not waited
        with (
            pytest.raises(KubariumError, match=f'process {other.pid} is still at cluster "t"'),
            cluster_locked("t", tmp_path, patience_s=0, told=told.append),
        ):
            pass
    assert told == [f'waiting for process {other.pid}, which is at cluster "t"']


def test_who_waits_goes_on_when_the_first_has_ended(tmp_path: Path):
    """However that one ended."""
    with ExitStack() as others:
        other = others.enter_context(_holder(tmp_path))
        with cluster_locked("t", tmp_path, patience_s=30, told=lambda _: other.kill()) as waited:
            assert waited


def test_a_slot_is_claimed_once_and_waits_for_nobody(tmp_path: Path):
    """Also where folders are not shared; it is free again when its holder has ended."""
    with SlotClaims() as claims:
        with _holder(tmp_path, 249):
            assert not claims.claim(249)
        assert claims.claim(249)
    with SlotClaims() as claims:
        assert claims.claim(249)


def test_a_lock_of_a_folder_of_the_machine_keeps_nobody_from_choosing_a_slot(tmp_path: Path):
    """Any user can lock /run; a start has no need of it."""
    with subprocess.Popen(["flock", "/run", "cat"], stdin=subprocess.PIPE) as other:
        try:
            with SlotClaims() as claims:
                assert homes.free_slot(set(), claims.claim) >= 0
        finally:
            other.kill()


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="kb-", dir="/tmp") as folder:
        yield Path(folder)


def _pretend(home: Path, name: str) -> subprocess.Popen[bytes]:
    """Start a process that looks like one of a cluster's: its command line names the folder."""
    arguments = ["kubarium.supervisor", "--home", str(home / name), "--run", str(home / "run" / name)]
    code = "import signal; print(flush=True); signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_processes_that_no_record_has_are_found_and_ended(home: Path):
    """By the cluster's folder, though there is none any more; those of a cluster beside it are left alone."""
    mine, other = _pretend(home, "t"), _pretend(home, "u")
    told: list[str] = []
    layout = homes.layout_of("t", home)
    try:
        assert [each.pid for each in remains.of_cluster(layout)] == [mine.pid]
        assert end("t", layout, progress=told.append)
        assert mine.wait(10)
        assert other.poll() is None
    finally:
        for process in (mine, other):
            process.kill()
            process.communicate()
    assert f"(pid {mine.pid})" in told[-1]
    assert not end("t", layout, progress=told.append)


def test_a_supervisor_that_does_not_answer_is_named(home: Path):
    """A second one would start everything twice."""
    hung = _pretend(home, "t")
    try:
        with pytest.raises(KubariumError, match=rf"\(pid {hung.pid}\) runs and does not answer"):
            Cluster.up("t", home=home, runtime="hollow", nodes=0)
    finally:
        hung.kill()
        hung.communicate()


def test_a_cluster_of_the_same_name_in_another_folder_is_found(home: Path):
    """Where they share a folder for sockets (several HOMEs of one user), or the names of namespaces."""
    other = _pretend(home, "t")
    try:
        layout = Layout(home / "elsewhere" / "t", home / "run" / "t")
        spec = preflight.ClusterSpec(name="t", runtime="hollow")
        with pytest.raises(KubariumError, match=f"of another folder is on this machine, {home / 't'}"):
            preflight.check_name(spec, layout, is_known=False)
        apart = Layout(home / "elsewhere" / "t", home / "elsewhere" / "run" / "t")
        preflight.check_name(spec, apart, is_known=False)
    finally:
        other.kill()
        other.communicate()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"name": "other"}', b'{"name": "t", "slot": "x"}',
                b'{"name": "t", "time_scale": -1}'],
)  # fmt: skip
def test_a_damaged_spec_harms_its_own_cluster_only(home: Path, content: bytes):
    """It is named; others have their slots, and it can be removed."""
    layout = homes.layout_of("t", home)
    layout.home.mkdir()
    layout.spec.write_bytes(content)
    with pytest.raises(KubariumError, match=r"t/spec\.json is damaged .*`kubarium down --name t`"):
        homes.read_spec(layout)
    assert homes.taken_slots(home) >= set()
    assert homes.cluster_names(home) == ["t"]
    assert Cluster("t", home=home).down()
    assert homes.cluster_names(home) == []


@pytest.mark.parametrize("name", ["run", "compose", "../x", "A", "", "a/b"])
def test_a_name_that_is_a_path_or_kubariums_own_is_refused(home: Path, name: str):
    """Whatever is asked of it: it becomes part of paths."""
    with pytest.raises(KubariumError, match=r"^--name: "):
        Cluster(name, home=home)


def test_programs_of_the_system_are_found_where_path_lacks_them(monkeypatch: pytest.MonkeyPatch):
    """After a plain `su`; what PATH has comes first, and once."""
    monkeypatch.setenv("PATH", f"/usr/bin{os.pathsep}/sbin")
    assert search_path().split(os.pathsep) == ["/usr/bin", "/sbin", "/usr/local/sbin", "/usr/sbin"]


def test_the_engine_is_the_one_that_docker_means(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """DOCKER_HOST, then the context by name, then the current one, then the usual place."""
    for variable in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert docker_socket() == "/var/run/docker.sock"
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(
        '{"Name": "mine", "Endpoints": {"docker": {"Host": "unix:///run/mine.sock"}}}'
    )
    (tmp_path / "config.json").write_text('{"currentContext": "mine"}')
    assert docker_socket() == "/run/mine.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "away")
    with pytest.raises(KubariumError, match='the docker context "away" names no engine'):
        docker_socket()
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    assert docker_socket() == "/run/other.sock"


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2375", "ssh://somebody@there", "unix://", "nonsense"])
def test_an_engine_elsewhere_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, host: str):
    """Its containers could not be joined to namespaces that are here."""
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(KubariumError, match=f"DOCKER_HOST means the engine at {host}"):
        docker_socket()
