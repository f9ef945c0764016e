"""What a kubelet of simulated containers leaves out, and what it still does."""

from __future__ import annotations

from pathlib import Path

from kubelet.core.image_access import PulledRecord
from kubelet.diskless import DisklessFiles, DisklessRecords
from tests.support.builders import container, pod


def test_logs_are_one_file_a_container_and_go_with_their_pod(tmp_path: Path):
    """In one folder for all; nothing else is written."""
    files, one, other = DisklessFiles(tmp_path), pod("one"), pod("other")
    paths = [
        Path(files.log_directory(each), files.log_path(each, "main", attempt))
        for each in (one, other)
        for attempt in (0, 1)
    ]
    assert len(set(paths)) == 4
    for path in paths:
        path.write_text("a line\n")
    assert files.hosts_mount(one, container(), ["10.0.0.1"]) is None
    assert files.termination_log(one, container(), 0) is None
    files.remove_logs(one)
    assert [path.exists() for path in paths] == [False, False, True, True]
    files.sweep_logs({one.metadata.uid})
    assert not paths[2].exists()
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_images_are_known_as_long_as_the_machine_runs(tmp_path: Path):
    """Who pulled one is remembered, and not on a disk."""
    records = DisklessRecords(tmp_path)
    records.begin("app:1")
    assert records.intends(["app:1"])
    records.keep(PulledRecord(last_updated_time="", image_ref="sha256:1"))
    records.end("app:1", is_over=True)
    assert records.record("sha256:1") is not None
    assert not records.intends(["app:1"])
    assert not list(tmp_path.iterdir())
