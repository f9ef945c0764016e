"""What load balancers are answered who ask a node whether it has endpoints of a Service.

https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-policies; status, headers and body are kube-proxy's.
"""

from __future__ import annotations

import json

from proxy.core.endpoints import LocalEndpoints


def write_answer(local: LocalEndpoints, *, is_healthy: bool) -> bytes:
    """Write the HTTP response: 200 where the node has ready endpoints and a proxy that is up to date, else 503."""
    status = "200 OK" if local.ready and is_healthy else "503 Service Unavailable"
    found = {
        "service": {"namespace": local.namespace, "name": local.service},
        "localEndpoints": local.ready,
        "serviceProxyHealthy": is_healthy,
    }
    body = json.dumps(found, indent="\t")
    head = (
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        "X-Content-Type-Options: nosniff",
        f"X-Load-Balancing-Endpoint-Weight: {local.ready}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*head, "", body)).encode()
