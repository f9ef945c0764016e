"""The Service proxy of one node: packet filter rules for Services, routes to the other nodes' pods.

__main__, config, app  the process: flags, and how its parts are put together
core                   what rules, routes and forgotten flows should be, without I/O
sync                   the loop that writes to the kernel what a change changes, and looks at it every now and then
nft, routes, conntrack, addresses   the places in the kernel that are written to
health                 the node ports at which load balancers ask who has endpoints
cleanup                taking all of it away again
commands               how nft, ip and conntrack are run
"""
