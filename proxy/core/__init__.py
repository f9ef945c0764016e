"""What the proxy decides: pure functions from the API's objects to what the kernel should have.

endpoints  which endpoints each port of each Service leads to
ruleset    the packet filter's table for that, and how an old one is changed into it
flows      which UDP flows the kernel has to forget
routes     the routes to the other nodes' pods
"""
