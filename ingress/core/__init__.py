"""What the ingress controller decides: pure functions from the API's objects to the configuration of HAProxy.

rules         what is wanted: hosts, paths, where requests go, and what else becomes of them
classes       which Ingresses are ours
annotations   what an Ingress wants beyond its spec
ingresses     Ingresses as rules
certificates  Secrets as certificates that the proxy can use
servers       the endpoints behind a rule, and their places in the proxy
routing       rules as tables: one look-up by host and path, and the few conditions that no look-up can answer
gateway       Gateways and their routes: a package with parts of its own
text          words of HAProxy's configuration, out of whatever people write
lines         lines of the configuration, each with whose it is
backends      what makes a backend of the proxy
steps         what becomes of requests on their way, as lines
rendering     the configuration: files, and whose they are
planning      all of it together: objects in, configuration and complaints out
"""
