"""What the apiserver decides, without I/O: schemas, kinds, patches, admission, deletion.

The order in which the write path (apiserver/registry) uses it, for one request:

    decode.read_json → writes.read (normalize + default) → admission → writes.create | writes.update → storage

Objects are plain dicts as JSON gives them. A function here never changes an object that it was not given for
that purpose; where it is, its docstring says so ("owns").
"""
