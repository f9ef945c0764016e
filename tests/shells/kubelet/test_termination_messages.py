"""What a container that ended leaves to be read, from real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelet.core import labels
from kubelet.pod_files import PodFiles
from kubelet.termination_messages import TerminationMessages
from machinery.pb import cri_pb2 as cri

HEAD = "2026-05-01T12:00:00.123456789Z stdout"


def message(folder: Path, log: str, *, code: int = 1, policy: str = "FallbackToLogsOnError") -> str:
    """Return what is shown of a container that wrote this log and no message of its own."""
    path = folder / "0.log"
    path.write_text(log)
    status = cri.ContainerStatus(
        metadata=cri.ContainerMetadata(name="main"),
        exit_code=code,
        log_path=str(path),
        labels={labels.POD_UID: "uid"},
        annotations={labels.MESSAGE_POLICY: policy},
    )
    return TerminationMessages(PodFiles(folder)).read(status)


def test_the_end_of_the_log_stands_in_for_a_message(tmp_path: Path):
    """Line by line as they were written; the parts of a long one are one line again."""
    log = f"{HEAD} F first\n{HEAD} P long \n{HEAD} F line\n{HEAD} P no line break\n"
    assert message(tmp_path, log) == "first\nlong line\nno line break"


@pytest.mark.parametrize(("code", "policy"), [(0, "FallbackToLogsOnError"), (1, "File")])
def test_only_where_the_policy_says_so_and_the_container_failed(tmp_path: Path, code: int, policy: str):
    """A success has nothing to explain."""
    assert message(tmp_path, f"{HEAD} F words\n", code=code, policy=policy) == ""


def test_many_lines_are_cut_to_eighty(tmp_path: Path):
    """Short lines are counted."""
    log = "".join(f"{HEAD} F {number}\n" for number in range(1000))
    assert message(tmp_path, log).split() == [str(number) for number in range(920, 1000)]


def test_of_a_long_last_line_its_end_is_shown(tmp_path: Path):
    """However long it is: 2048 bytes."""
    log = f"{HEAD} F {'a ' * 9000}\n{HEAD} P {'b ' * 8192}\n{HEAD} F end\n"
    found = message(tmp_path, log)
    assert len(found) == 2048
    assert found == ("b " * 2048 + "end\n")[-2048:]
