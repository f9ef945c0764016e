"""What the proxy decides: pure functions from the API's objects to what the kernel should have.

topology   which endpoints are near
endpoints  which endpoints each port of a Service leads to
health     what load balancers are told of them
ruleset    what that puts into the packet filter's table
table      the table as a value, and the text that puts it in place or changes it
flows      which UDP flows the kernel has to forget
routes     the routes to the other nodes' pods
merged     one mapping out of what all Services and nodes want, which knows what has changed in it
desired    all of it together, brought up to date by one Service or node at a time
"""
