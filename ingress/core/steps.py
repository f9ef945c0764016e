"""What becomes of requests on their way, as lines of the proxy's configuration.

https://docs.haproxy.org/2.6/configuration.html#4.2-http-request
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ingress.core import text
from ingress.core.body_limit import limit_lines
from ingress.core.rules import Headers, Moved, Options, Rewrite


def step_lines(options: Options, connect_ms: int) -> Iterator[str]:
    """Yield the lines of a backend, in their order; `connect_ms` is how long a connection may take otherwise."""
    if options.answer_within_ms:
        yield f"timeout server {options.answer_within_ms}ms"
        yield f"timeout connect {min(connect_ms, options.answer_within_ms)}ms"
    if options.tries_once:
        yield "retries 0"
    if options.redirects_to_tls:
        location = "https://%[var(txn.host)]%[pathq]"
        yield f"http-request redirect location {text.word(location)} code 308 unless {{ ssl_fc }}"
    if options.most_body_bytes:
        yield from limit_lines(options.most_body_bytes)
    if options.rewrite is not None:
        yield f"http-request {_rewriting(options.rewrite)}"
    yield from header_lines("http-request", options.request_headers)
    if options.host:
        yield f"http-request set-header Host {text.word(text.literal(options.host))}"
    yield from moving_lines(options.moved)
    yield from header_lines("http-after-response", options.response_headers)


def header_lines(rule: str, every: Iterable[Headers]) -> Iterator[str]:
    """Yield what is done to headers, by one of the proxy's sets of rules."""
    for headers in every:
        for verb, named in (("set-header", headers.written), ("add-header", headers.added)):
            for name, value in named:
                yield f"{rule} {verb} {text.word(name)} {text.word(text.literal(value))}"
        for name in headers.removed:
            yield f"{rule} del-header {text.word(name)}"


def moving_lines(moved: Moved | None) -> Iterator[str]:
    """Yield what makes another path of a request's; what is left of the path is never empty."""
    if moved is None:
        return
    target = text.literal(moved.target)
    if moved.prefix is None:
        yield f"http-request set-path {text.word(target)}"
        return
    prefix = re.sub(r"([^A-Za-z0-9/_-])", r"\\\1", moved.prefix)
    if target:
        yield f"http-request replace-path {text.word(f'^{prefix}(.*)$')} {text.word(target + _FIRST)}"
    elif prefix:
        yield f"http-request replace-path {text.word(f'^{prefix}$')} /"
        yield f"http-request replace-path {text.word(f'^{prefix}(/.*)$')} {text.word(_FIRST)}"


_FIRST = r"\1"  # what the first group has matched


def _rewriting(rewrite: Rewrite) -> str:
    target = text.literal(rewrite.target)
    if not rewrite.pattern:
        return f"set-path {text.word(target)}"
    groups = re.sub(r"\$([1-9])", r"\\\1", target)
    return f"replace-path {text.word('(?i)^' + rewrite.pattern)} {text.word(groups)}"
