"""What is decided about APIServices, and about requests that go to other servers for them. Pure.

In the order of use:

- `priorities` is Kubernetes' table of which group comes first;
- `registration` says which APIServices there are for what this server serves itself;
- `heads` reads of an APIService what has to be known of it;
- `availability` says whether the server behind one can be asked, as far as the Service tells;
- `front_proxy` writes who asks into the head of a request that is passed on;
- `documents` reads what a server says that it serves;
- `trust` is the ConfigMap by which such servers know whom to believe.

`apiserver.aggregation` acts on it.
"""
