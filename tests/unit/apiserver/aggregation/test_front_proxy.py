"""Who asks, as an extension server is told."""

from __future__ import annotations

from apiserver.core.aggregation.front_proxy import signed
from apiserver.request import UserInfo


def test_a_request_says_who_asks_and_nothing_that_its_client_says_of_that() -> None:
    """Keys are escaped and in lower case; no value ends a line."""
    user = UserInfo(
        "jané\r\nX-Remote-Group: system:masters",
        "u1",
        ("a", "b"),
        {"Example.com/Key%": ("one", "two")},
    )
    given = [
        ("Accept", "*/*"),
        ("x-remote-user", "root"),
        ("X-REMOTE-GROUP", "system:masters"),
        ("X-Remote-Uid", "0"),
        ("X-Remote-Extra-Scopes", "all"),
        ("X-Remote", "stays"),
    ]
    assert signed(given, user) == [
        ("Accept", "*/*"),
        ("X-Remote", "stays"),
        ("X-Remote-User", "jané  X-Remote-Group: system:masters".encode().decode("latin-1")),
        ("X-Remote-Uid", "u1"),
        ("X-Remote-Group", "a"),
        ("X-Remote-Group", "b"),
        ("X-Remote-Extra-example.com%2Fkey%25", "one"),
        ("X-Remote-Extra-example.com%2Fkey%25", "two"),
    ]


def test_a_user_without_a_uid_has_no_header_of_one() -> None:
    """As Kubernetes sends it."""
    assert signed([], UserInfo("me")) == [("X-Remote-User", "me")]
