"""Which standard a namespace asks for, in which version, and what happens to pods that do not keep to it.

https://kubernetes.io/docs/concepts/security/pod-security-admission/#pod-security-admission-labels-for-namespaces
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

from apiserver.core import field_errors
from machinery.model.errors import Cause

PREFIX: Final = "pod-security.kubernetes.io/"
MODES: Final = ("enforce", "audit", "warn")
LABELS: Final = frozenset(f"{PREFIX}{mode}{ending}" for mode in MODES for ending in ("", "-version"))
ENFORCE_LABELS: Final = (f"{PREFIX}enforce", f"{PREFIX}enforce-version")
_VERSION: Final = re.compile(r"v1\.(0|[1-9][0-9]{0,8})", re.ASCII)


class Level(IntEnum):
    """How strict a standard is."""

    PRIVILEGED = 0
    BASELINE = 1
    RESTRICTED = 2


LEVELS: Final = {level.name.lower(): level for level in Level}

Version: TypeAlias = int | None
"""A minor version of Kubernetes 1; None is the latest."""


class LevelVersion(NamedTuple):
    """A standard as it was in a version."""

    level: Level
    version: Version = None

    def __str__(self) -> str:
        version = "latest" if self.version is None else f"v1.{self.version}"
        return f"{self.level.name.lower()}:{version}"


UNRESTRICTED: Final = LevelVersion(Level.PRIVILEGED)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a namespace asks for: refuse pods (enforce), note in the audit log, warn."""

    enforce: LevelVersion = UNRESTRICTED
    audit: LevelVersion = UNRESTRICTED
    warn: LevelVersion = UNRESTRICTED

    @property
    def is_privileged(self) -> bool:
        """Whether every pod keeps to it."""
        return not (self.enforce.level or self.audit.level or self.warn.level)


NO_POLICY: Final = Policy()


def policy_of(labels: Mapping[str, str], defaults: Policy = NO_POLICY) -> tuple[Policy, tuple[Cause, ...]]:
    """Return the policy that labels of a namespace ask for, and what is wrong with them.

    There is a policy in any case: a level to enforce that is none is restricted, others are privileged, and a version
    that is none is the latest. Where nothing is said of warnings, what is enforced is warned of, in workloads.
    """
    if LABELS.isdisjoint(labels):
        return defaults, ()
    found: list[Cause] = []
    enforce = _read(labels, "enforce", defaults.enforce, Level.RESTRICTED, found)
    audit = _read(labels, "audit", defaults.audit, Level.PRIVILEGED, found)
    warn = _read(labels, "warn", defaults.warn, Level.PRIVILEGED, found)
    return Policy(enforce, audit, _warned_of(labels, enforce, warn)), tuple(found)


def _warned_of(labels: Mapping[str, str], enforce: LevelVersion, warn: LevelVersion) -> LevelVersion:
    if f"{PREFIX}warn" in labels or f"{PREFIX}enforce" not in labels or enforce.level <= warn.level:
        return warn
    return LevelVersion(enforce.level, warn.version if f"{PREFIX}warn-version" in labels else enforce.version)


def _read(
    labels: Mapping[str, str], mode: str, default: LevelVersion, wrong: Level, found: list[Cause]
) -> LevelVersion:
    result, label = default, f"{PREFIX}{mode}"
    if (text := labels.get(label)) is not None:
        level = LEVELS.get(text)
        if level is None:
            found.append(_invalid(label, text, f"must be one of {', '.join(LEVELS)}"))
        result = LevelVersion(wrong if level is None else level, result.version)
    label = f"{label}-version"
    if (text := labels.get(label)) is not None:
        try:
            version = read_version(text)
        except ValueError as error:
            found.append(_invalid(label, text, str(error)))
            version = None
        result = LevelVersion(result.level, version)
    return result


def read_version(text: str) -> Version:
    """Read a version of a standard.

    Raises:
        ValueError: it is none.
    """
    form = _VERSION.fullmatch(text)
    if not form and text != "latest":
        raise ValueError('must be "latest" or "v1.x"')
    return int(form[1]) if form else None


def _invalid(label: str, text: str, detail: str) -> Cause:
    return field_errors.invalid(f"metadata.labels[{label}]", text, detail)


@dataclass(frozen=True, slots=True)
class Exemptions:
    """Whom and what the standards leave alone."""

    usernames: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    runtime_classes: frozenset[str] = frozenset()


NO_EXEMPTIONS: Final = Exemptions()


@dataclass(frozen=True, slots=True)
class PodSecuritySettings:
    """The cluster's configuration: what holds where a namespace says nothing, and what is exempt."""

    defaults: Policy = NO_POLICY
    exemptions: Exemptions = NO_EXEMPTIONS

    def policy_of(self, labels: Mapping[str, str]) -> tuple[Policy, tuple[Cause, ...]]:
        """Return the policy of a namespace, and what is wrong with its labels."""
        return policy_of(labels, self.defaults)
