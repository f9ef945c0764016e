"""What is decided about requests that are passed on to a pod, a service or a node (`…/proxy/…`). Pure.

In the order of use:

- `destination` reads whom a request names, and chooses the pod and the port;
- `headers` makes the head that is passed on, and that of the answer;
- `links` rewrites the links of an HTML page, so that they lead through the proxy again.

`apiserver.rest.proxies` acts on it.
"""
