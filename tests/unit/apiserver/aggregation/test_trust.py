"""What extension servers are told of whom to believe."""

from __future__ import annotations

from apiserver.core.aggregation.trust import Trust, joined


def block(text: str) -> str:
    """Return what stands for a certificate."""
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"


def test_what_several_apiservers_require_comes_together() -> None:
    """Nothing is there twice, nothing of another one is lost, and what has expired goes."""
    before = {
        "client-ca-file": block("theirs") + block("old"),
        "requestheader-client-ca-file": block("front"),
        "requestheader-allowed-names": '["theirs"]',
        "requestheader-username-headers": "no list",
        "other": "value",
    }
    trust = Trust(block("ours"), block("front"), ("front-proxy-client",))
    assert joined(before, trust, lambda each: "old" not in each) == {
        "client-ca-file": block("theirs") + block("ours"),
        "requestheader-client-ca-file": block("front"),
        "requestheader-allowed-names": '["theirs","front-proxy-client"]',
        "requestheader-username-headers": '["X-Remote-User"]',
        "requestheader-uid-headers": '["X-Remote-Uid"]',
        "requestheader-group-headers": '["X-Remote-Group"]',
        "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
    }


def test_an_apiserver_without_a_front_proxy_certificate_requires_no_headers() -> None:
    """It passes nothing on under a name of its own."""
    assert joined({}, Trust(block("ours")), lambda _: True) == {"client-ca-file": block("ours")}
