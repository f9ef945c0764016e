"""The limit of a request's body, in the proxy's configuration.

A body that says its length is refused before anything of it is sent on. One that comes in chunks, or by HTTP/2 without a length, is counted by
a filter as it passes: at the first byte too many the endpoint's connection is cut off in the middle of the body, so that no endpoint
takes the part for the whole, and the client gets the same answer. The filter is loaded only where a limit is wanted.

https://www.arpalert.org/src/haproxy-lua-api/2.6/index.html#filter-class
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

FILE: Final = "body-limit.lua"
_REFUSED: Final = "txn.body_refused"

# What is in the buffer may have more than the body: its end, trailers. So the body alone is looked at where that counts.
# An error is how a filter of this version of the proxy ends a request; what it says is logged.
PROGRAM: Final = f"""\
local limit = {{ id = "body-limit", flags = filter.FLT_CFG_FL_HTX }}
limit.__index = limit

function limit:new()
  return setmetatable({{ most = tonumber(self.args[1]), seen = 0 }}, limit)
end

function limit:start_analyze(txn, channel)
  if not channel:is_resp() then filter.register_data_filter(self, channel) end
end

function limit:http_payload(txn, message)
  local size = message:input()
  if self.seen + size > self.most then size = #(message:body() or "") end
  self.seen = self.seen + size
  if self.seen > self.most then
    txn:set_var("{_REFUSED}", true)
    error("a body has more than " .. self.args[1] .. " bytes: 413", 0)
  end
end

core.register_filter("body-limit", limit, function(instance, args)
  instance.args = args
  return instance
end)
""".encode()


def limit_lines(most_bytes: int) -> Iterator[str]:
    """Yield the lines of a backend whose requests may have bodies of so many bytes."""
    yield f"filter lua.body-limit {most_bytes}"
    yield f"http-request deny deny_status 413 if {{ req.body_size gt {most_bytes} }}"
    yield f"http-after-response set-status 413 if {{ var({_REFUSED}) -m found }}"
