"""How the model's values are written on a wire, for both ends of every conversation.

objects         objects ↔ JSON bytes
status          errors → gRPC codes, with the Status beside the code; rpc_errors is the way back
cause_headers   who calls, because of what, in which trace: metadata of every request
fence_header    the leadership that a write is made under: metadata of a write
services        gRPC handlers, made from descriptors; stubs is the client's side
malformed       what a handler has in the place of a request that cannot be read
messages, resources, node, health   the generated messages, each conversation's by one door
conversation    a connection's messages on their way through its seam; a stream's in stream_passage
"""
