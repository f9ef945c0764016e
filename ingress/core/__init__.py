"""What the ingress controller decides: pure functions from the API's objects to the configuration of HAProxy.

rules         what is wanted: hosts, paths, where requests go, and what else becomes of them
classes       which Ingresses are ours
annotations   what an Ingress wants beyond its spec
ingresses     Ingresses as rules
certificates  Secrets as certificates that the proxy can use
servers       the endpoints behind a rule, and their places in the proxy
routing       rules as tables: one look-up by host and path, and the few conditions that no look-up can answer
text          words of HAProxy's configuration, out of whatever people write
rendering     the configuration: files, and whose they are
planning      all of it together: objects in, configuration and complaints out
"""
