"""What is likely wrong with the expressions of a ValidatingAdmissionPolicy, in its status.

controller  which policies are looked at: those of which a generation was not checked yet
plan        the status that follows
kinds       which kinds a policy is about
checking    each expression with the types of those kinds

A warning changes nothing of what the policy does.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#type-checking
"""

from controllers.validatingadmissionpolicy_status.controller import build

__all__ = ["build"]
