"""The objects of files: YAML of one or more documents, or JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from kubarium.core.simulating.manifests import Item, ManifestError, read_items
from kubarium.errors import KubariumError


def read_file(path: str, namespace: str = "default") -> list[Item]:
    """Return the objects of a file ("-": of standard input).

    Raises:
        KubariumError: it cannot be read, or has something else in it; the message names file, document and field.
    """
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise KubariumError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise KubariumError(f"{path}: is no text in UTF-8 ({error.reason} at byte {error.start})") from error
    try:
        return read_items(path, _documents(path, text), namespace)
    except ManifestError as error:
        raise KubariumError(str(error)) from error


def write(path: str, text: str) -> None:
    """Write a file; what was there stays whole until the new one is.

    Raises:
        KubariumError: it cannot be written.
    """
    new = Path(f"{path}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise KubariumError(f"{path}: {error.strerror or error}") from error


def _documents(path: str, text: str) -> list[Any]:
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text)]
        except ValueError:
            pass  # YAML may begin like this, too
    import yaml  # large, and most commands do without

    try:
        return list(yaml.load_all(text, _loader(yaml)))  # a safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ": ".join(filter(None, (error.context, error.problem)))
        raise KubariumError(f"{path}:{mark.line + 1 if mark else 1}: {words}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise KubariumError(f"{path}: is no YAML: {error}") from error


def _loader(yaml: Any) -> Any:
    """Return the safe loader, the fast one where there is one, for which a time is text, as it is in Kubernetes."""
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in base.yaml_implicit_resolvers.items()
    }
    return type("Loader", (base,), {"yaml_implicit_resolvers": resolvers})
