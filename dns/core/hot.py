"""Answers as bytes, for those who ask what was asked before: the same bytes except for the first two, the message's number.

Each is kept until something changes that it depends on. A change costs as much as what it concerns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

NUMBER_BYTES: Final = 2


class HotAnswers:
    """The answers, at most so many; when there is no room all of them are forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: dict[bytes, tuple[bytes, ...]] = {}
        self._asked: dict[str, list[bytes]] = {}  # by tag

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, message: bytes) -> bytes | None:
        """Return the answer to a message, None where it is not known. Several orders of one answer take turns."""
        answers = self._answers.get(message[NUMBER_BYTES:])
        if answers is None:
            return None
        chosen = answers[0] if len(answers) == 1 else answers[message[1] % len(answers)]
        return message[:NUMBER_BYTES] + chosen

    def put(self, message: bytes, answers: Iterable[bytes], tags: Iterable[str]) -> None:
        """Keep the answers to a message until one of the tags is dropped."""
        if len(self._answers) >= self._most:
            self.clear()
        key = message[NUMBER_BYTES:]
        self._answers[key] = tuple(answer[NUMBER_BYTES:] for answer in answers)
        for tag in tags:
            self._asked.setdefault(tag, []).append(key)

    def clear(self) -> None:
        """Forget all."""
        self._answers.clear()
        self._asked.clear()

    def drop(self, tags: Iterable[str]) -> None:
        """Forget what depends on any of the tags."""
        for tag in tags:
            for key in self._asked.pop(tag, ()):
                self._answers.pop(key, None)
