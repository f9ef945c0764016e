"""The REST front door: HTTPS and JSON, for kubectl and every Kubernetes client.

In the order of use:

server, accepting, listener   the sockets, how many connections they take, and what aiohttp serves of them
connection, heads  one client: plain requests are read and answered here; limits say how long it may take
http_request       a request as a value: HttpRequest, and Exchange for an answer that lasts
door, seam         who asks, how long it may take, what went wrong; the door behind a seam, which calls requests
                   by the words of naming
paths, query, negotiation, bodies, yaml_body, protobuf_body   what a request says, read strictly
resource_request, resources   requests of resources, as calls of the registry
watches, pod_log, pod_exec, streams   answers that last
pages, openapi                        what is the same for everybody: discovery, documents, health, metrics
replies, envelopes, lists, tables, gzip_parts   how answers are written
services           the parts of the apiserver that the door works with
"""
