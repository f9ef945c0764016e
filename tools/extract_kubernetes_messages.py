"""Write apiserver/rest/kubernetes_messages.binpb: how Kubernetes' protobuf messages are numbered.

A program in Go that speaks to Kubernetes carries the types of the API, and in the tags of their fields the numbers that
the published .proto files have. This reads them, for all groups, from a kubectl (Linux, amd64) of the version that the
schemas are of. Those of two groups are in no kubectl; `aggregated_messages.py` has them.

    python tools/extract_kubernetes_messages.py /path/to/kubectl
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from apiserver.rest.protobuf_messages import MESSAGES  # noqa: E402
from tools import aggregated_messages  # noqa: E402

PACKAGES: Final = re.compile(
    r"k8s\.io/(api/\w+/v\w+|apimachinery/pkg/(apis/meta/v1|runtime|util/intstr|api/resource))"
)
TAG: Final = re.compile(r'protobuf:"\w+,(\d+)(?:,(opt|rep|req))?(?:,name=(\w+))?')
JSON_NAME: Final = re.compile(r'json:"([^",]+)')
UINT8, MAP, POINTER, SLICE, STRUCT = 8, 21, 22, 23, 25  # kinds of Go's types
OPTIONAL, REPEATED = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
_STRING, _INT32, _INT64 = (
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_INT64,
)
SCALARS: Final = {
    1: FieldDescriptorProto.TYPE_BOOL,
    2: _INT64,
    5: _INT32,
    6: _INT64,
    8: FieldDescriptorProto.TYPE_UINT32,
    10: FieldDescriptorProto.TYPE_UINT32,
    14: FieldDescriptorProto.TYPE_DOUBLE,
    24: _STRING,
}
_META: Final = "k8s.io.apimachinery.pkg.apis.meta.v1"
WRITTEN_BY_HAND: Final = {
    "k8s.io.apimachinery.pkg.api.resource.Quantity": (("string", 1, _STRING),),
    "k8s.io.apimachinery.pkg.api.resource.QuantityValue": (("string", 1, _STRING),),
    f"{_META}.Time": (("seconds", 1, _INT64), ("nanos", 2, _INT32)),
    f"{_META}.MicroTime": (("seconds", 1, _INT64), ("nanos", 2, _INT32)),
    f"{_META}.Duration": (("duration", 1, _INT64),),
}
"""Types that encode themselves: their fields have no tags."""


class Field(NamedTuple):
    """A field of a struct: its name in Go, the address of its type, and its tag."""

    name: str
    type: int
    tag: str


class Program:
    """The types in a Go program, whose layout is that of https://pkg.go.dev/internal/abi."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._sections = dict(self._read_sections())
        self._types = self._sections[".rodata"][0]  # where names and types are counted from

    def _read_sections(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        start = self._unpack("<Q", 0x28)[0]
        size, count, names = self._unpack("<HHH", 0x3A)
        headers = [self._unpack("<IIQQQQ", start + size * index) for index in range(count)]
        for name, _, _, address, offset, length in headers:
            place = headers[names][4] + name
            yield self._data[place : self._data.index(b"\0", place)].decode(), (address, offset, length)

    def _unpack(self, form: str, place: int) -> tuple[int, ...]:
        return struct.unpack_from(form, self._data, place)

    def _at(self, address: int) -> int:
        """Return where an address is in the file."""
        return next(o + address - a for a, o, size in self._sections.values() if 0 < a <= address < a + size)

    def _pointer(self, address: int) -> int:
        return self._unpack("<Q", self._at(address))[0]

    def _text(self, place: int) -> tuple[str, int]:
        """Read a text after its length, a varint; return where it ends as well."""
        length = shift = 0
        while True:
            byte = self._data[place]
            place += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        return self._data[place : place + length].decode(), place + length

    def listed(self) -> Iterator[int]:
        """Yield the addresses of the types that the program lists: those of pointers, slices and maps, mostly."""
        _, offset, length = self._sections[".typelink"]
        for (each,) in struct.iter_unpack("<i", self._data[offset : offset + length]):
            yield self._types + each

    def kind(self, address: int) -> int:
        """Return the kind of a type."""
        return self._data[self._at(address) + 23] & 31

    def element(self, address: int) -> int:
        """Return what a pointer points to, or a slice is of."""
        return self._pointer(address + 48)

    def value(self, address: int) -> int:
        """Return the type of a map's values."""
        return self._pointer(address + 56)

    def name(self, address: int) -> str:
        """Return the name of the message that a named struct or slice is in protobuf; "" if it has none."""
        place = self._at(address)
        if not self._data[place + 20] & 4:
            return ""
        text = self._text(self._at(self._types + self._unpack("<i", place + 40)[0]) + 1)[0].lstrip("*")
        uncommon = place + (80 if self.kind(address) == STRUCT else 56)
        package = self._text(self._at(self._types + self._unpack("<i", uncommon)[0]) + 1)[0]
        if not PACKAGES.fullmatch(package):
            return ""
        return f"{package.replace('/', '.')}.{text.rpartition('.')[2]}"

    def fields(self, address: int) -> Iterator[Field]:
        """Yield the fields of a struct that have tags."""
        first, count = self._unpack("<QQ", self._at(address + 56))
        for place in range(first, first + 24 * count, 24):
            name, type_ = self._unpack("<QQ", self._at(place))
            start = self._at(name)
            if self._data[start] & 2:
                text, end = self._text(start + 1)
                yield Field(text, type_, self._text(end)[0])


class Messages:
    """The messages that were found, by name."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.found: dict[str, DescriptorProto] = {}

    def add(self, address: int) -> str:
        """Add a named struct or slice, and what it is made of; return its name, or "" where it is no message."""
        name = self._program.name(address)
        if not name or name in self.found:
            return name
        message = self.found[name] = DescriptorProto(name=name.rpartition(".")[2])
        if by_hand := WRITTEN_BY_HAND.get(name):
            for field, number, type_ in by_hand:
                message.field.add(name=field, number=number, type=type_, label=OPTIONAL)
        elif self._program.kind(address) == SLICE:
            field = message.field.add(name="items", number=1, label=REPEATED)
            self._describe(field, self._program.element(address))
        else:
            for each in self._program.fields(address):
                self._add_field(name, message, each)
        return name

    def _add_field(self, owner: str, message: DescriptorProto, of: Field) -> None:
        tag = TAG.search(of.tag)
        if tag is None:
            return
        number, label = int(tag[1]), tag[2]
        name = tag[3] or of.name[0].lower() + of.name[1:]
        field = message.field.add(name=name, number=number, label=OPTIONAL)
        if (json := JSON_NAME.search(of.tag)) and json[1] != name:
            field.json_name = json[1]
        type_ = self._target(of.type)
        kind = self._program.kind(type_)
        if kind == MAP:
            self._describe_map(owner, message, field, self._target(self._program.value(type_)))
        elif kind == SLICE and label == "rep":
            field.label = REPEATED
            self._describe(field, self._program.element(type_))
        else:
            self._describe(field, type_)

    def _target(self, address: int) -> int:
        program = self._program
        return program.element(address) if program.kind(address) == POINTER else address

    def _describe(self, field: FieldDescriptorProto, address: int) -> None:
        """Set a field's type: a message, bytes, or a scalar."""
        program, address = self._program, self._target(address)
        kind = program.kind(address)
        if kind == SLICE and program.kind(program.element(address)) == UINT8:
            field.type = FieldDescriptorProto.TYPE_BYTES
        elif kind == SLICE and not program.name(address):
            field.label = REPEATED
            self._describe(field, program.element(address))
        elif kind in {STRUCT, SLICE}:
            field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{self.add(address)}"
        else:
            field.type = SCALARS[kind]

    def _describe_map(
        self, owner: str, message: DescriptorProto, field: FieldDescriptorProto, value: int
    ) -> None:
        entry = message.nested_type.add(name=f"{field.name[0].upper()}{field.name[1:]}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=OPTIONAL, type=_STRING)
        self._describe(entry.field.add(name="value", number=2, label=OPTIONAL), value)
        field.label, field.type = REPEATED, FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{owner}.{entry.name}"


def read(program: Program) -> dict[str, DescriptorProto]:
    """Return the messages of all types that the program lists."""
    messages = Messages(program)
    for address in program.listed():
        if program.kind(address) == POINTER and program.kind(program.element(address)) == STRUCT:
            messages.add(program.element(address))
    return messages.found


def described(messages: dict[str, DescriptorProto]) -> FileDescriptorSet:
    """Return one file a package, each after those that it depends on."""
    files: dict[str, FileDescriptorProto] = {}
    for name, message in sorted(messages.items()):
        package = name.rpartition(".")[0]
        file = files.setdefault(package, FileDescriptorProto(name=f"{package}.proto", package=package))
        file.message_type.append(message)
    ordered: dict[str, FileDescriptorProto] = {}

    def add(package: str) -> None:
        if package in ordered:
            return
        used = {each.rpartition(".")[0] for each in _used(files[package])} & files.keys() - {package}
        for other in sorted(used):
            add(other)
        files[package].dependency.extend(f"{other}.proto" for other in sorted(used))
        ordered[package] = files[package]

    for package in files:
        add(package)
    return FileDescriptorSet(file=ordered.values())


def _used(file: FileDescriptorProto) -> Iterator[str]:
    for message in file.message_type:
        for each in (message, *message.nested_type):
            yield from (field.type_name.lstrip(".") for field in each.field if field.type_name)


def main() -> None:
    """Read the program, write the file."""
    messages = {**read(Program(Path(sys.argv[1]).read_bytes())), **dict(aggregated_messages.messages())}
    MESSAGES.write_bytes(described(messages).SerializeToString())
    print(f"{MESSAGES.relative_to(ROOT)}: {len(messages)} messages, {MESSAGES.stat().st_size} bytes")


if __name__ == "__main__":
    main()
