"""HAProxy's configuration, split into words as HAProxy does it.

https://docs.haproxy.org/2.6/configuration.html#2.2
"""

from __future__ import annotations


def words_of(line: str) -> list[str]:
    """Return the words of a line: blanks end them, quotes and backslashes keep blanks in, `#` begins a comment."""
    found: list[str] = []
    word: str | None = None
    quote = ""
    at = 0
    while at < len(line):
        sign = line[at]
        at += 1
        if quote == "'":
            quote, word = ("", word) if sign == "'" else (quote, (word or "") + sign)
        elif sign == "\\" and at < len(line):
            word = (word or "") + line[at]
            at += 1
        elif quote == '"':
            quote, word = ("", word) if sign == '"' else (quote, (word or "") + sign)
        elif sign in "'\"":
            quote, word = sign, word or ""
        elif sign == "#":
            break
        elif sign in " \t\r":
            if word is not None:
                found.append(word)
            word = None
        else:
            word = (word or "") + sign
    assert not quote, f"a quote does not end: {line}"
    return found if word is None else [*found, word]
