"""What the Gateway API wants of the proxy: pure functions from its objects to the configuration, and to what they say of themselves.

objects/     the kinds, as far as they are read
verdicts     conditions, in the specification's words
hostnames    which of two hosts covers the other, and what covers one
grants       who may refer to what in another namespace
listeners    the doors of a Gateway: which are served, and why others are not
attaching    which routes go with which listeners
filters      what becomes of requests on their way
rules        the rules of a route: what they are about, and where its requests go
precedence   which rule a request follows: rules as tables
services     the Service in front of each Gateway: its address and its ports
planning     all of it together
rendering    the lines and tables of the proxy's configuration
status       what is written into the objects' status
"""
