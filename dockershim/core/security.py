"""Security contexts as the engine's options.

Kubernetes: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dockershim.core.capabilities import available
from machinery.model.errors import BadRequest, NotImplementedHere
from machinery.pb import cri_pb2 as cri

Profiles = Mapping[str, str]  # the text of each localhost seccomp profile, by its reference


def localhost_profile(security: Any) -> str:
    """Return the path of the seccomp profile that has to be read first; "" if none.

    Raises:
        BadRequest: the profile that an older client names is none.
    """
    profile = _profile(security, "seccomp", "seccomp_profile_path")
    if profile is not None and profile.profile_type == cri.SecurityProfile.Localhost:
        return str(profile.localhost_ref).removeprefix("localhost/")
    return ""


UNCONFINED: Final = ("seccomp=unconfined", "apparmor=unconfined", "label=disable")  # as privileged has it


def security_options(security: Any, profile: str = "") -> list[str]:
    """Write SecurityOpt. `profile` is the text of the localhost seccomp profile, where there is one.

    Without a seccomp profile a container is unconfined, as CRI has it; the engine's own default is another.

    Raises:
        BadRequest: a profile that an older client names is none.
    """
    options = [*_seccomp(security, profile), *_apparmor(security), *_selinux(security.selinux_options)]
    if getattr(security, "no_new_privs", False):
        options.append("no-new-privileges")
    return options


def user(security: Any) -> str:
    """Write the user (and group) that a container runs as; "" for its image's.

    Raises:
        BadRequest: a group without a user.
    """
    named = security.run_as_username
    if security.HasField("run_as_user"):
        named = str(security.run_as_user.value)
    if security.HasField("run_as_group"):
        if not named:
            raise BadRequest("run_as_group needs run_as_user or run_as_username beside it")
        return f"{named}:{security.run_as_group.value}"
    return str(named)


def groups(security: Any) -> list[str]:
    """Write the supplemental groups.

    Raises:
        NotImplementedHere: the Strict policy, which the engine cannot keep.
    """
    if security.supplemental_groups_policy == cri.Strict:
        raise NotImplementedHere(
            "supplementalGroupsPolicy Strict: the Docker engine always adds the image's groups"
        )
    return [str(group) for group in security.supplemental_groups]


def capabilities(security: Any, missing: Sequence[str], left_out: Sequence[str]) -> dict[str, list[str]]:
    """Write CapAdd and CapDrop, less the capabilities that the engine does not have itself.

    Raises:
        NotImplementedHere: ambient capabilities, which the engine cannot give.
    """
    wanted = security.capabilities
    if wanted.add_ambient_capabilities:
        raise NotImplementedHere("ambient capabilities: the Docker engine cannot give them")
    return available(wanted.add_capabilities, wanted.drop_capabilities, missing, left_out)


def _seccomp(security: Any, text: str) -> list[str]:
    profile = _profile(security, "seccomp", "seccomp_profile_path")
    if profile is None or profile.profile_type == cri.SecurityProfile.Unconfined:
        return ["seccomp=unconfined"]
    return [f"seccomp={text}"] if text else []


def _apparmor(security: Any) -> list[str]:
    profile = _profile(security, "apparmor", "apparmor_profile")
    if profile is None:
        return []
    match profile.profile_type:
        case cri.SecurityProfile.Unconfined:
            return ["apparmor=unconfined"]
        case cri.SecurityProfile.Localhost:
            return [f"apparmor={profile.localhost_ref.removeprefix('localhost/')}"]
        case _:
            return []


def _profile(security: Any, field: str, deprecated: str) -> Any:
    """Return a profile, where there is none the one that an older client names in the field before it; None if none."""
    if field in security.DESCRIPTOR.fields_by_name and security.HasField(field):
        return getattr(security, field)
    match str(getattr(security, deprecated, "")):
        case "":
            return None
        case "unconfined":
            return cri.SecurityProfile(profile_type=cri.SecurityProfile.Unconfined)
        case "runtime/default" | "docker/default":
            return cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault)
        case name if name.startswith("localhost/"):
            return cri.SecurityProfile(profile_type=cri.SecurityProfile.Localhost, localhost_ref=name)
        case name:
            raise BadRequest(f"{deprecated}: {name!r} is no profile")


def _selinux(options: Any) -> list[str]:
    parts = (("user", options.user), ("role", options.role), ("type", options.type), ("level", options.level))
    return [f"label={name}:{value}" for name, value in parts if value]
