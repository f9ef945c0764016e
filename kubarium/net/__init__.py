"""`kubarium net`: looks at what the nodes' kernels and the API have, and says what becomes of packets.

`kernel` reads one host and the pods' wires, `names` asks DNS, `following` puts together what one question needs. What is
found is thought about in `kubarium.core.net`. For the connectivity check, `checking` deploys, `probing` serves and tries, with
sockets of other namespaces out of `spaces`.
"""
