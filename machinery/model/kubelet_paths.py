"""Paths of a kubelet's HTTP server that are about one pod, as `nodes/proxy` passes them on.

/exec, /attach, /run, /containerLogs   /<namespace>/<pod>[/<uid>]/<container>
/portForward                           /<namespace>/<pod>[/<uid>]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NODE_PAGE: Final = "proxy/"
"""What a component's request for a page of a kubelet's has before its path, where others have a subresource."""
SESSIONS: Final = frozenset({"exec", "attach", "portForward"})
"""What upgrades its connection."""
ACTING: Final = frozenset({*SESSIONS, "cri", "run"})
"""What does something in a pod, whatever the method of the request."""
_IN_CONTAINERS: Final = frozenset({"exec", "attach", "run", "containerLogs"})


@dataclass(frozen=True, slots=True)
class PodPath:
    """A path, read."""

    what: str
    namespace: str
    pod: str
    uid: str = ""
    container: str = ""


def does_something(path: str) -> bool:
    """Whether a request of a path does something in a pod, even one that only seems to read."""
    return _parts(path)[0] in ACTING


def read_pod_path(path: str) -> PodPath | None:
    """Read a decoded path; None where it is none of these."""
    match _parts(path):
        case "portForward", namespace, pod:
            return PodPath("portForward", namespace, pod)
        case "portForward", namespace, pod, uid:
            return PodPath("portForward", namespace, pod, uid)
        case what, namespace, pod, container if what in _IN_CONTAINERS:
            return PodPath(what, namespace, pod, "", container)
        case what, namespace, pod, uid, container if what in _IN_CONTAINERS - {"containerLogs"}:
            return PodPath(what, namespace, pod, uid, container)
    return None


def _parts(path: str) -> list[str]:
    return path.strip("/").split("/")
