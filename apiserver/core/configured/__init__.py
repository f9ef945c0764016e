"""What an administrator tells the apiserver in files, as Kubernetes' own apiserver is told: read and checked, no I/O.

In the order of use:

documents       a document of a known kind, each field of which is known
kubeconfig      whom the apiserver calls, and how it shows who it is
image_policy    whom ImagePolicyWebhook asks
authorization   AuthorizationConfiguration: the authorizers, in order

AdmissionConfiguration, which is about what stands above all of this, is `apiserver.core.admission_configured`.
The files are read by `apiserver.configured_files`.
"""
