"""The cluster's DNS server: names of Services, endpoints and pods, and everything else from upstream.

__main__, config, app  the process: flags, and how its parts are put together
core                   what is answered to which question, without I/O
answering              one question in, one answer out, with the answers that are asked for again and again as bytes
listeners              the sockets: UDP, and TCP with bounded connections
forwarder, exchange    questions that others answer: which servers are asked, and one exchange with one of them
settings               the ConfigMap that a user changes while it runs
pages                  /health, /ready and /metrics of a server in a pod
announcement           the Service `kube-dns` and its EndpointSlice, where the server is no workload of the cluster
"""
