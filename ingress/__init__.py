"""The ingress controller: a proxy for HTTP at the edge of the cluster, configured by Ingresses and Gateways. A workload of the cluster.

__main__, config, app  the process: flags, and how its parts are put together
core                   which request goes where, and the proxy's configuration that says so, without I/O
watching               what is watched, and what of it a change concerns
gateway_watching       the Gateway API's kinds, which a cluster may have or not
syncer                 from the plan to the running proxy, again and again
generations            the proxy's files, a folder for each configuration
haproxy                the proxy's process: begun, checked, reloaded, told of endpoints, ended
reporting              what only one of several replicas says: addresses in status, events
gateway_reporting      what that one writes for the Gateways: their Services, and statuses
"""
