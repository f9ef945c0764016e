"""The Service proxy of one node: packet filter rules for Services, routes to the other nodes' pods."""
