"""New objects and what an apiserver says of them, both JSON: `kubarium` asks, a process of `apiserver.checking` answers.

The one stands on the process's standard input, the other on its standard output.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """New objects, as a client would send them."""

    objects: list[Any]


class Checked(msgspec.Struct, omit_defaults=True):
    """What came of one object."""

    obj: dict[str, Any] | None = (
        None  # with its defaults; None: it was refused, or is of a kind that is not served
    )
    problems: list[str] = []  # why it was refused: "spec.replicas: Invalid value: …"
    remark: str = ""  # what it asks for is not built, and was not checked


class Answer(msgspec.Struct):
    """One for each object, in their order."""

    checked: list[Checked]
