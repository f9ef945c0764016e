"""What webhooks and policies of admission decide without waiting: which of them a request concerns, what they are told.

    occasion        a request, as rules, reviews and expressions see it: in each version of its kind
    matching        rules, namespaces and objects that a webhook or a policy is about
    reviews         AdmissionReview: what a webhook is sent, and what its answer means
    reinvocation    which mutating webhooks and policies are asked a second time
    expressions     match conditions, compiled once; the authorizer's answers
    policies        ValidatingAdmissionPolicy and MutatingAdmissionPolicy: compiled, judged, their mutations
    mutations       what the value of a mutation does to an object
    checking        whether expressions compile, before they are stored

`apiserver.admission` runs it. https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""
