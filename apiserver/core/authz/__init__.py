"""Who may do what, as pure functions. `apiserver.gate` asks them in this order.

attributes   what authorizers have to know of a request, and their answer
node         the Node authorizer: a kubelet and what the pods of its node refer to
rules        a single rule of a role: what it covers
rbac         roles and bindings, as an index by who they are for
escalation   what a write of a role or binding gives away, and whether the writer has it
messages     the sentences of a refusal
"""
