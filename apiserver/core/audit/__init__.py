"""The audit log, decided: what of a request is written down, and how it reads.

policy   which level a request has, and which of its stages are left out, by the rules of a policy file
event    one event, as Kubernetes writes it (audit.k8s.io/v1)
files    which files a log consists of, and which of them go

The shell is `apiserver.audit`. https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
"""
