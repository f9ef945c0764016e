"""The REST front door: HTTPS, for kubectl and every Kubernetes client.

In the order of use:

server, accepting, listener   the sockets, how many connections they take, and what aiohttp serves of them
connection, heads  one client: plain requests are read and answered here; limits say how long it may take
http_request       a request as a value: HttpRequest, and Exchange for an answer that lasts
door, seam         who asks, how long it may take, what went wrong; the door behind a seam, which calls requests
                   by the words of naming
paths, query, negotiation, bodies, yaml_body, protobuf_body, protobuf_reader   what a request says, read strictly
resource_request, resources   requests of resources, as calls of the registry
watches, pod_log, pod_exec, streams   answers that last
pages, health_pages, openapi, kept_documents   what is the same for everybody: discovery, documents, health, metrics
request_metrics                       what is counted of requests
object_answers, lists, tables, envelopes        objects and lists, in the form that was asked for
protobuf_messages, protobuf_writer, protobuf_parts, protobuf_answers   the same as Kubernetes' protobuf
replies, gzip_parts, gzip_runs                  responses
services           the parts of the apiserver that the door works with
"""
