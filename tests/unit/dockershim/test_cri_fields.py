"""Each field of CRI's configurations is acted on, refused, or known to have no effect: none is lost in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from dockershim.core.cdi import edits_for
from dockershim.core.host_config import Host, container_body, sandbox_body
from machinery.model.errors import BadRequest, NotImplementedHere
from machinery.pb import cri_pb2 as cri
from tests.support.dockershim import SCOPE, pod_metadata

HOST = Host(unified_cgroups=False, runtimes=("runc",))
ELSEWHERE = {
    "metadata": "it names the container",
    "labels": "they are kept beside it",
    "annotations": "they are kept beside it",
    "image.annotations": "they are kept beside it",
    "image.user_specified_image": "it is kept beside it",
    "image.runtime_handler": "one image serves every handler",
    "windows": "there is no Windows",
}
OF_CONTAINERS = {
    **ELSEWHERE,
    "mounts.image_sub_path": "it says what is unpacked before",
    "mounts.image.annotations": "they are kept beside it",
    "mounts.image.user_specified_image": "it is kept beside it",
    "mounts.image.runtime_handler": "one image serves every handler",
    "mounts.selinux_relabel": "no effect without SELinux, as upstream",
    "linux.resources.hugepage_limits": "the engine has no limits for them",
    "linux.security_context.seccomp.localhost_ref": "its text is read before",
    "linux.security_context.apparmor.localhost_ref": "it counts with the type Localhost only",
    "linux.security_context.seccomp_profile_path": "its text is read before",
    "linux.security_context.namespace_options.network": "it joins its sandbox's",
    "linux.security_context.namespace_options.userns_options": "its sandbox's, where they are refused",
}
OF_SANDBOXES = {
    **ELSEWHERE,
    "log_directory": "its containers' logs lie there",
    "port_mappings": "CNI's",
    "linux.security_context.seccomp.localhost_ref": "its text is read before",
    "linux.security_context.apparmor.localhost_ref": "it counts with the type Localhost only",
    "linux.security_context.seccomp_profile_path": "its text is read before",
    "linux.overhead": "for information",
    "linux.resources": "for information",
    **{
        f"linux.security_context.{name}": "only the pause program runs in it"
        for name in (
            *("run_as_user", "run_as_group", "readonly_rootfs", "supplemental_groups", "privileged"),
            *("supplemental_groups_policy", "namespace_options.target_id"),
        )
    },
}


def container_base() -> Any:
    """Describe a container in which each field can be changed by itself."""
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name="main"),
        image=cri.ImageSpec(image="busybox:1.36"),
        mounts=[cri.Mount(container_path="/there", host_path="/here")],
        devices=[cri.Device(container_path="/dev/a", host_path="/dev/b", permissions="r")],
        linux=cri.LinuxContainerConfig(
            resources=cri.LinuxContainerResources(memory_limit_in_bytes=1 << 30, oom_score_adj=5),
            security_context=cri.LinuxContainerSecurityContext(
                run_as_username="root", namespace_options=cri.NamespaceOption(pid=cri.TARGET)
            ),
        ),
    )


def sandbox_base() -> Any:
    """Describe a sandbox in which each field can be changed by itself."""
    return cri.PodSandboxConfig(metadata=pod_metadata(), log_directory="/logs")


def container(config: Any) -> dict[str, Any]:
    """Write the engine's body, without the labels, which hold the configuration itself."""
    pod = sandbox_base()
    folders = {each.container_path: "/unpacked" for each in config.mounts}
    cdi = edits_for([each.name for each in config.CDI_devices], [])
    body = container_body(
        config, pod, "sand", scope=SCOPE, runtime_handler="", host=HOST, image_folders=folders, cdi=cdi
    )
    return {**body, "Labels": None}


def sandbox(config: Any) -> dict[str, Any]:
    """Write the engine's body, without the labels."""
    body = sandbox_body(config, scope=SCOPE, image="pause", runtime_handler="", netns="/n", host=HOST)
    return {**body, "Labels": None}


def changes(message: Any, path: str = "") -> Iterator[tuple[str, Callable[[Any], None]]]:
    """Yield each field below a message by its path, and what changes it there; a choice once for each of its values."""
    for field in message.DESCRIPTOR.fields:
        here = f"{path}.{field.name}" if path else field.name
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            for value in values(field):
                yield here, partial(change, field, value)
            continue
        below = getattr(message, field.name)
        inner = (below[0] if len(below) else below.add()) if field.is_repeated else below
        for deeper, act in changes(inner, here):
            yield deeper, partial(change_below, field, act)


def values(field: FieldDescriptor) -> list[Any]:
    """Return what a plain field may be changed to."""
    if field.enum_type is not None:
        return [value.number for value in field.enum_type.values]
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return [True]
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return ["localhost/11" if "profile" in field.name else "11"]
    return [1 << 31 if field.name.startswith("memory") else 11]


def change(field: FieldDescriptor, value: Any, target: Any) -> None:
    """Set a plain field to another value than it has."""
    if field.message_type is not None:
        getattr(target, field.name)["memory.high"] = "11"
    elif field.is_repeated:
        getattr(target, field.name).append(value)
    else:
        setattr(target, field.name, value)


def change_below(field: FieldDescriptor, act: Callable[[Any], None], target: Any) -> None:
    """Change something in the message in a field, the first of several; it is there then."""
    below = getattr(target, field.name)
    if field.is_repeated:
        act(below[0] if len(below) else below.add())
    else:
        below.SetInParent()
        act(below)


def lost(base: Callable[[], Any], write: Callable[[Any], dict[str, Any]], known: dict[str, str]) -> list[str]:
    """Find the fields that make no difference, whatever they are, and are not known for it."""
    silent: dict[str, bool] = {}
    for path, act in changes(base()):
        if not any(path == name or path.startswith(f"{name}.") for name in known):
            changed = base()
            act(changed)
            silent[path] = silent.get(path, True) and not is_noticed(changed, base(), write)
    return [path for path, is_silent in silent.items() if is_silent]


def is_noticed(changed: Any, before: Any, write: Callable[[Any], dict[str, Any]]) -> bool:
    """Whether a configuration is refused, or makes another body than before."""
    try:
        return write(changed) != write(before)
    except (BadRequest, NotImplementedHere):
        return True


@pytest.mark.parametrize(
    ("base", "write", "known"),
    [(container_base, container, OF_CONTAINERS), (sandbox_base, sandbox, OF_SANDBOXES)],
    ids=["container", "sandbox"],
)
def test_no_field_is_lost_in_silence(
    base: Callable[[], Any], write: Callable[[Any], dict[str, Any]], known: dict[str, str]
):
    """Whatever a kubelet sends."""
    assert lost(base, write, known) == []
    assert len(lost(base, write, {})) > 5  # it finds those that are known


def test_every_field_that_is_known_is_there():
    """A list of what has no effect names nothing else."""
    for base, known in ((container_base, OF_CONTAINERS), (sandbox_base, OF_SANDBOXES)):
        paths = [path for path, _ in changes(base())]
        for name in known.keys() - ELSEWHERE.keys():
            assert any(path == name or path.startswith(f"{name}.") for path in paths), name
