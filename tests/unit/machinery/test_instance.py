import os
import socket

import pytest

from machinery.process.instance import is_own_past, new_identity

HOST = socket.gethostname()
OWN = f"controllers_{HOST}_{os.getpid()}_me"
NO_PROCESS = 2**22 + 1  # the kernel's highest process id is 2**22


def holder(instance="controllers", host=HOST, pid=NO_PROCESS):
    return f"{instance}_{host}_{pid}_{'f' * 32}"


def test_no_two_lives_have_the_same_identity():
    """It begins with the instance, so that a Lease tells which one leads."""
    first, second = new_identity("controllers-2"), new_identity("controllers-2")
    assert first != second
    assert first.startswith(f"controllers-2_{HOST}_{os.getpid()}_")


def test_a_life_that_has_ended_is_known():
    """Its process is gone; or it had the id that is ours now, as a container's first process has."""
    assert is_own_past(holder(), OWN)
    assert is_own_past(holder(pid=os.getpid()), OWN)


@pytest.mark.parametrize(
    "other",
    [
        holder(pid=os.getppid()),  # it lives, or somebody else has its id
        holder("controllers-2"),
        holder("scheduler"),
        holder(host="elsewhere"),
        OWN,
        "",
        "kube-controller-manager-7f_5c9e",
        "a_b_no-number_c",
    ],
    ids=[
        "lives",
        "another instance",
        "another program",
        "another machine",
        "itself",
        "nobody",
        "upstream's",
        "no id",
    ],
)
def test_everybody_else_is_waited_for(other):
    """Whoever may still act keeps its lease."""
    assert not is_own_past(other, OWN)
