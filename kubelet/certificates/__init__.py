"""The kubelet's certificates: with which it comes to the apiserver, and which it shows to it.

keys               private keys, and requests for their certificates
store              the files of one kind of certificate
rotation           one certificate: asked for, renewed, used
bootstrap          as whom a node comes that has no certificate yet
node_certificates  both of a kubelet, put together

https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/
"""

from kubelet.certificates.node_certificates import NodeCertificates

__all__ = ["NodeCertificates"]
