"""Who a process is for others: the instance, its machine, its process id, and which of the instance's lives this is.

A lease that is held by an earlier life of the same instance need not be waited out: that one cannot act any more. Whatever
it had sent before is refused by the store, since its fence names another identity.
"""

from __future__ import annotations

import os
import socket
import uuid

_FIELDS = 2  # process id and life, from the right; the rest names the instance


def new_identity(instance: str) -> str:
    """Return an identity that nobody has had: `controllers-2_host_4711_<uuid>`."""
    return f"{instance}_{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex}"


def is_own_past(holder: str, identity: str) -> bool:
    """Whether a holder was an earlier life of this very instance, on this machine, that has ended.

    A process id that somebody has now counts as one that lives on, except for our own: containers begin with the same again.
    """
    place, pid = _split(holder)
    own_place, own_pid = _split(identity)
    if not place or place != own_place or holder == identity:
        return False
    return pid == own_pid or not _is_alive(pid)


def _split(identity: str) -> tuple[str, str]:
    place, *rest = identity.rsplit("_", _FIELDS)
    return (place, rest[0]) if len(rest) == _FIELDS else ("", "")


def _is_alive(pid: str) -> bool:
    """Whether a process has this id; whatever is no id counts as one, so that it is waited for."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, OSError):
        return True
    return True
