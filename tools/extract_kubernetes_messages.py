"""Write apiserver/rest/kubernetes_messages.binpb: how Kubernetes' protobuf messages are numbered.

Every kubectl carries the descriptions of all of them, compressed, as Go's protobuf library needs them. This looks for
them in a kubectl and keeps those of the groups that the apiserver serves.

    python tools/extract_kubernetes_messages.py [/usr/bin/kubectl]
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from apiserver.core.openapi import served_paths  # noqa: E402
from apiserver.rest.protobuf_body import MESSAGES  # noqa: E402

GZIP = b"\x1f\x8b\x08"
LARGEST = 1 << 20
BESIDE = ("autoscaling", "v1"), ("policy", "v1")  # kinds of subresources: Scale, Eviction


def files(program: bytes) -> Iterator[FileDescriptorProto]:
    """Find every compressed description in a program."""
    place = program.find(GZIP)
    while place >= 0:
        try:
            data = zlib.decompressobj(31).decompress(program[place : place + LARGEST])
            yield FileDescriptorProto.FromString(data)
        except (zlib.error, DecodeError):
            pass
        place = program.find(GZIP, place + 1)


def needed(known: dict[str, FileDescriptorProto]) -> list[FileDescriptorProto]:
    """Return the files of the served groups after those that they depend on."""
    pairs = [*served_paths().values(), *BESIDE]
    names = [
        f"k8s.io/api/{group.partition('.')[0] or 'core'}/{version}/generated.proto"
        for group, version in pairs
    ]
    ordered: dict[str, FileDescriptorProto] = {}

    def add(name: str) -> None:
        if name in ordered or name not in known:
            return
        for dependency in known[name].dependency:
            add(dependency)
        ordered[name] = known[name]

    for name in sorted(names):
        add(name)
    return list(ordered.values())


def lean(file: FileDescriptorProto) -> FileDescriptorProto:
    """Leave out what only Go's generator reads."""
    kept = [name for name in file.dependency if "gogo" not in name]
    del file.dependency[:]
    file.dependency.extend(kept)
    file.ClearField("options")
    for message in file.message_type:
        message.ClearField("options")
        for field in message.field:
            field.ClearField("options")
    return file


def main() -> None:
    """Read the program, write the file."""
    program = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/bin/kubectl").read_bytes()
    known = {file.name: file for file in files(program) if file.name.endswith("generated.proto")}
    found = needed(known)
    MESSAGES.write_bytes(FileDescriptorSet(file=map(lean, found)).SerializeToString())
    print(f"{MESSAGES.relative_to(ROOT)}: {len(found)} files, {MESSAGES.stat().st_size} bytes")


if __name__ == "__main__":
    main()
