"""Kubernetes' protobuf messages: which there are, and how they are described.

https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
The messages of all groups, as v1.36 has them, are described by `kubernetes_messages.binpb`, which
`tools/extract_kubernetes_messages.py` wrote; a field that is called otherwise in JSON has that as its `json_name`.
`protobuf_body` reads them, `protobuf_writer` writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
MESSAGES: Final = Path(__file__).with_name("kubernetes_messages.binpb")
MAGIC: Final = b"k8s\x00"
"""What an object begins with; a `runtime.Unknown` follows."""
META: Final = "k8s.io.apimachinery.pkg.apis.meta.v1"
RUNTIME: Final = "k8s.io.apimachinery.pkg.runtime"
UNKNOWN: Final = f"{RUNTIME}.Unknown"
_OF_META: Final = frozenset(
    {"APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "DeleteOptions", "Status"}
)
EXTENSIONS: Final = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1"
_PACKAGES: Final = {
    "": "k8s.io.api.core",
    "apiextensions.k8s.io": EXTENSIONS.removesuffix(".v1"),
    "apiregistration.k8s.io": "k8s.io.kube_aggregator.pkg.apis.apiregistration",
    "internal.apiserver.k8s.io": "k8s.io.api.apiserverinternal",
}
INLINED: Final = frozenset(
    {
        "deviceConfiguration",
        "ephemeralContainerCommon",
        "handler",
        "ingressRuleValue",
        "localObjectReference",
        "persistentVolumeSource",
        "rule",
        "ruleWithOperations",
        "volumeSource",
    }
)
"""Fields of a message's type whose own fields stand in their place in JSON."""


@lru_cache(maxsize=512)
def message_of(api_version: str, kind: str) -> str:
    """Return the name of the message that objects of a type are; there may be none of that name."""
    group, _, version = api_version.rpartition("/")
    if (not group and kind in _OF_META) or group == "meta.k8s.io" or kind == "DeleteOptions":
        return f"{META}.{kind}"  # Go clients name the group of what they delete as that of its DeleteOptions
    if "." in group and not group.endswith(".k8s.io"):
        return ""  # a group of custom resources, which have no messages
    package = _PACKAGES.get(group) or f"k8s.io.api.{group.partition('.')[0]}"
    return f"{package}.{version}.{kind}"


@cache
def message_names() -> frozenset[str]:
    """Return the names of all messages."""
    return frozenset(name for name, _ in _described())


def described_messages() -> Mapping[str, Any]:
    """Return the descriptions of all messages, as they are in the file: 2 MB that nobody should keep."""
    return dict(_described())


@cache
def message_pool() -> Any:
    """Return the descriptions of all messages: a pool of its own, since other programs describe the same ones."""
    from google.protobuf.descriptor_pool import DescriptorPool

    pool = DescriptorPool()
    for file in _files():
        pool.Add(file)
    return pool


def is_inlined(field: Any) -> bool:
    """Whether the own fields of a field, described by a pool, stand in its place in JSON."""
    return field.name in INLINED and field.message_type is not None


def _described() -> Iterator[tuple[str, Any]]:
    for file in _files():
        for message in file.message_type:
            yield f"{file.package}.{message.name}", message


def _files() -> Any:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    return FileDescriptorSet.FromString(MESSAGES.read_bytes()).file
