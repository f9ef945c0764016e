"""The cluster file, where it lies."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from kubarium.cluster_file import read_cluster_file
from kubarium.errors import KubariumError

GOOD = b"apiVersion: kubarium.dev/v1alpha1\nkind: Cluster\nname: shop\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, ": No such file"),
        (b"name: \xff", ": is no text in UTF-8"),
        (b"x" * (1 << 20) + b"y", ": is longer than 1048576 bytes"),
        (GOOD + b"size: 3", ":4: size: there is no such field"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, why: str):
    """With the line, where one is to blame."""
    file = tmp_path / "cluster.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(KubariumError, match=f"^{re.escape(f'{file}{why}')}"):
        read_cluster_file(file)
    with pytest.raises(KubariumError, match=": Is a directory"):
        read_cluster_file(tmp_path)


def test_a_document_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch):
    """As `-`."""

    class Input:
        buffer = io.BytesIO(GOOD)

    monkeypatch.setattr("sys.stdin", Input)
    assert read_cluster_file(Path("-")).name == "shop"
