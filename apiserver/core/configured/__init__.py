"""What an administrator tells the apiserver in files, as Kubernetes' own apiserver is told: read and checked, no I/O.

In the order of use:

documents       a document of a known kind, each field of which is known
kubeconfig      whom the apiserver calls, and how it shows who it is
admission       AdmissionConfiguration: what plugins are configured with
authorization   AuthorizationConfiguration: the authorizers, in order

The files are read by `apiserver.configured_files`.
"""
