"""Reads a cluster file: YAML (or JSON) with the line of each value, for `kubarium.core.cluster_file`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from kubarium.core.cluster_file import ClusterFile, FileError, Scalar, Sequence, Table, Written, read_document
from kubarium.errors import KubariumError

_LARGEST_BYTES = 1 << 20
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_OPERATORS = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")  # "<<" and "=": text here


def read_cluster_file(path: Path) -> ClusterFile:
    """Read what a file (or standard input, as "-") asks for.

    Raises:
        KubariumError: it cannot be read, or describes no cluster; the message names file, line and field.
    """
    try:
        return read_cluster_text(_text(path))
    except OSError as error:
        raise KubariumError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise KubariumError(f"{path}: is no text in UTF-8 ({error.reason} at byte {error.start})") from error
    except FileError as error:
        raise KubariumError(f"{path}:{error}") from error


def read_cluster_text(text: str) -> ClusterFile:
    """Read what a document asks for.

    Raises:
        FileError: it describes no cluster; the message names line and field.
    """
    return read_document(_Reader(text).read())


def _text(path: Path) -> str:
    if str(path) == "-":
        data = sys.stdin.buffer.read(_LARGEST_BYTES + 1)
    else:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    if len(data) > _LARGEST_BYTES:
        raise KubariumError(f"{path}: is longer than {_LARGEST_BYTES} bytes")
    return data.decode("utf-8-sig")


class _Reader:
    """Reads one text. A value that is used again (an alias) is read once."""

    def __init__(self, text: str) -> None:
        import yaml  # which most commands do without

        self._yaml: Any = yaml
        self._text = text
        self._loader: Any = None
        self._read: dict[int, Written] = {}
        self._open: set[int] = set()  # nodes that are being read: one that has itself within is refused

    def read(self) -> Written:
        """Return the one document.

        Raises:
            FileError: it is no YAML, there is none or there are several, or it nests without end.
        """
        try:
            self._loader = self._yaml.SafeLoader(self._text)
            node = self._loader.get_single_node()
            if node is None:
                raise FileError(1, "", "there is no document in it")
            return self._written(node)
        except self._yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            words = ": ".join(filter(None, (error.context, error.problem)))
            raise FileError(mark.line + 1 if mark else 1, "", words) from error
        except self._yaml.reader.ReaderError as error:
            raise FileError(1, "", f"is no YAML: {error.reason}") from error
        except RecursionError as error:
            raise FileError(1, "", "is nested too deeply") from error

    def _written(self, node: Any) -> Written:
        if (known := self._read.get(id(node))) is not None:
            return known
        line = node.start_mark.line + 1
        if id(node) in self._open:
            raise FileError(line, "", "has itself within")
        self._open.add(id(node))
        written = self._read[id(node)] = self._new(node, line)
        self._open.remove(id(node))
        return written

    def _new(self, node: Any, line: int) -> Written:
        if isinstance(node, self._yaml.CollectionNode) and node.tag not in _COLLECTIONS:
            raise FileError(line, "", f"the tag {node.tag} means nothing here")
        if isinstance(node, self._yaml.MappingNode):
            pairs = ((self._written(key), self._written(value)) for key, value in node.value)
            return Table(line, tuple(pairs))
        if isinstance(node, self._yaml.SequenceNode):
            return Sequence(line, tuple(map(self._written, node.value)))
        return Scalar(line, node.value, self._value(node, line))

    def _value(self, node: Any, line: int) -> object:
        if node.tag in _OPERATORS:
            return node.value
        try:
            return self._loader.construct_object(node)
        except ValueError as error:  # a date that there is not, a number of too many digits
            raise FileError(line, "", f'"{node.value[:40]}" cannot be read: {error}') from error
