"""Which paths of a kubelet are about a pod, and which of them do something in it."""

from __future__ import annotations

import pytest

from machinery.model.kubelet_paths import PodPath, does_something, read_pod_path


@pytest.mark.parametrize(
    ("path", "read", "acts"),
    [
        ("/exec/ns/web/main", PodPath("exec", "ns", "web", "", "main"), True),
        ("/exec/ns/web/u/main", PodPath("exec", "ns", "web", "u", "main"), True),
        ("/attach/ns/web/main/", PodPath("attach", "ns", "web", "", "main"), True),
        ("//run/ns/web/main", PodPath("run", "ns", "web", "", "main"), True),
        ("/portForward/ns/web", PodPath("portForward", "ns", "web"), True),
        ("/portForward/ns/web/u", PodPath("portForward", "ns", "web", "u"), True),
        ("/containerLogs/ns/web/main", PodPath("containerLogs", "ns", "web", "", "main"), False),
        ("/containerLogs/ns/web/u/main", None, False),
        ("/exec/ns/web", None, True),
        ("/exec", None, True),
        ("/cri/exec/token", None, True),
        ("/x/../exec/ns/web/main", None, False),
        ("/pods", None, False),
        ("/", None, False),
        ("", None, False),
    ],
)
def test_paths_of_a_kubelet(path: str, read: PodPath | None, acts: bool) -> None:
    """A path that cannot be read does something all the same, as far as permissions go."""
    assert (read_pod_path(path), does_something(path)) == (read, acts)
