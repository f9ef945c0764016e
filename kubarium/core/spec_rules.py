"""What single values of a spec may be, whoever says them; what they have to be together says `kubarium.core.spec`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from machinery.model.profile import intervals

Profile = Literal["default", "fast"]

ZONE: Final = "topology.kubernetes.io/zone"
DEFAULT_PROCESS_MEMORY: Final = "1Gi"
LEAST_PROCESS_MEMORY: Final = "256Mi"  # one that has just started has 110 Mi, its threads' stacks included
NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KUBERNETES: Final = re.compile(r"(^|\.)(kubernetes|k8s)\.io$")
_KUBELETS: Final = re.compile(r"(^|\.)(kubelet|node)\.kubernetes\.io$")
_TOPOLOGY: Final = frozenset({ZONE, "topology.kubernetes.io/region"})
_CAPACITY: Final = re.compile(r"[0-9]+(\.[0-9]+)?(m|[kKMGTPE]i?)?")
_LEAST_RENEWAL_S: Final = 0.25  # of real time: machines that are busy keep leaders waiting for so long


class SpecError(ValueError):
    """The cluster that was asked for cannot be: why, and the option that it is about ("" where it is about none)."""

    def __init__(self, why: str, option: str = "") -> None:
        super().__init__(f"{option}: {why}" if option else why)
        self.why = why


def check_name(what: str, value: str, *, longest: int) -> None:
    """Check the name of a cluster or node.

    Raises:
        SpecError: it cannot be so; the message names the option.
    """
    if len(value) > longest or not NAME.fullmatch(value):
        raise SpecError(
            f'"{value}" has to be lower-case letters, digits and "-", '
            f"starting and ending with a letter or digit, at most {longest} long",
            what,
        )


def check_flags(handed: Iterable[str], known: tuple[str, ...], option: str) -> None:
    """Check that flags are those that may be handed on.

    Raises:
        SpecError: it cannot be so; the message names the option.
    """
    for name in handed:
        if name not in known:
            raise SpecError(f'"{name}" is no flag to hand on (there are: {", ".join(known)})', option)


def check_time_scale(scale: float, profile: Profile) -> None:
    """Check that leaders have the time to renew their leases in.

    Raises:
        SpecError: it cannot be so; the message names the option.
    """
    renewal_s = intervals(profile).leader_renew_deadline_s
    if not 0 < scale <= renewal_s / _LEAST_RENEWAL_S:
        most = f"{renewal_s / _LEAST_RENEWAL_S:g} (with the profile {profile})"
        why = (
            f", or leaders have less than {_LEAST_RENEWAL_S:g} s to renew their leases in"
            if scale > 0
            else ""
        )
        raise SpecError(f"has to be above 0 and at most {most}, not {scale:g}{why}", "--time-scale")


def check_process_memory(text: str) -> None:
    """Check the most memory of a process.

    Raises:
        SpecError: it cannot be so; the message names the option.
    """
    if text == DEFAULT_PROCESS_MEMORY:
        return
    from machinery.model.quantity import memory_bytes  # few clusters have another

    if not _CAPACITY.fullmatch(text):
        raise SpecError(f'"{text}" is no quantity; write it as 512Mi or 4Gi', "--process-memory")
    if memory_bytes(text) < memory_bytes(LEAST_PROCESS_MEMORY):
        raise SpecError(f"has to be at least {LEAST_PROCESS_MEMORY}, not {text}", "--process-memory")


def check_published(publish: Sequence[str], load_balancer_pool: str) -> None:
    """Check what is published, and the addresses of load balancers.

    Raises:
        SpecError: it cannot be so; the message names the option.
    """
    if publish:
        from kubarium.core.publications import read_publication, twice  # few clusters have any

        try:
            again = twice(map(read_publication, publish))
        except ValueError as error:
            raise SpecError(str(error), "--publish") from error
        if again:
            raise SpecError(f"{again} is there twice", "--publish")
    if load_balancer_pool:
        from kubarium.core.balancer_pool import read_pool

        try:
            read_pool(load_balancer_pool)
        except ValueError as error:
            raise SpecError(str(error), "--load-balancer-pool") from error


def check_capacity(flag: str, value: str) -> None:
    """Check a quantity of cpu or memory.

    Raises:
        SpecError: it cannot be so; the message names the option.
    """
    if not _CAPACITY.fullmatch(value):
        raise SpecError(f'"{value}" is no quantity; write it as 2, 500m, 512Mi or 4Gi', flag)
    if not re.search("[1-9]", value):
        raise SpecError(f"has to be above 0, not {value}", flag)


def check_taint(flag: str, text: str) -> None:
    """Check a taint.

    Raises:
        SpecError: it cannot be so; the message names the option.
    """
    from machinery.model.taints import read_taint

    try:
        read_taint(text)
    except ValueError as error:
        raise SpecError(str(error), flag) from error


def check_marks(node: str, labels: Mapping[str, str], taints: Iterable[str]) -> None:
    """Check labels and taints: a kubelet could not register a node with what the apiserver refuses.

    Raises:
        SpecError: it does; the message says why.
    """
    from machinery.model.names import label_key_errors, label_value_errors  # few clusters have any

    for key, value in labels.items():
        if wrong := [*label_key_errors(key), *label_value_errors(value)]:
            raise SpecError(f'"{key}={value}": {wrong[0]}', "--label")
        if not _may_label_itself(key):
            raise SpecError(
                f'"{key}" is kept for administrators (NodeRestriction): '
                f"`kubectl label node {node} {key}={value}` sets it",
                "--label",
            )
    for taint in taints:
        check_taint("--taint", taint)


def _may_label_itself(key: str) -> bool:
    """Whether a kubelet may set a label: of Kubernetes' own only those for topology and for kubelets.

    https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction
    """
    prefix, slash, _ = key.rpartition("/")
    if not slash or not _KUBERNETES.search(prefix):
        return True
    return key in _TOPOLOGY or _KUBELETS.search(prefix) is not None


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 address."""
    parts = text.split(".")
    return len(parts) == 4 and all(
        part.isdecimal() and part == str(int(part)) and int(part) < 256 for part in parts
    )
