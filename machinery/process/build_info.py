"""Which version a process is, in the words of Kubernetes' /version and of its metric kubernetes_build_info."""

from __future__ import annotations

from functools import cache
from platform import machine, python_version
from typing import Final

from machinery.process.published_schemas import VERSION

RELEASE: Final = VERSION.removeprefix("v")
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@cache
def version_info() -> dict[str, str]:
    """Return the fields of version.Info; nobody changes them. There is no Go, and no commit is known of an installed package."""
    major, minor, _ = RELEASE.split(".")
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": f"{VERSION}+kubarium",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "",
        "goVersion": "",
        "compiler": f"CPython {python_version()}",
        "platform": f"linux/{_MACHINES.get(machine(), machine())}",
    }
