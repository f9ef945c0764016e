"""The part of admission that waits: for the store, for other servers, for what expressions cost.

    dynamic, stages, build    policies and webhooks in both stages, in upstream's order; made when there is the first
    configurations  the objects that configure them, as the watch caches have them
    metrics         durations of stages and plugins, checks of policies
    forms           requests and objects in the versions that they are told of
    policies        which policies a request concerns, with which bindings and params
    webhooks        who is asked about a request, and what the answers do to it
    webhook_call    how a webhook's configuration says that it is called
    web_client, service_dialer    HTTPS to a URL, or to a Service through the node of its pod
    image_policy    a server that is asked about the images of pods, where one is configured
    namespaces      those that come into being with their first object, where that is on
    evaluation      expressions that ask the authorizer, or cost much
    quota           what a write takes of its namespace's ResourceQuotas: compared and set before the object is stored

What decides without waiting is in `apiserver.core.admission` and `apiserver.core.hooks`; `apiserver.registry.admitting`
runs all of it.
"""
