"""APIServices at work: which there are, whom they lead to, and how those do. `apiserver.core.aggregation` decides.

services      follows the cache of APIServices: what each says, and which of them lead elsewhere
registration  writes and removes those of what this server serves itself
backends      connects with servers, and fetches their documents
upkeep        looks at servers again and again: the condition Available, discovery
openapi       fetches what servers document, when somebody asks
remote_registry  asks servers what the components ask, over the gRPC door
metrics       says how they do
trust         keeps the ConfigMap by which extension servers know whom to believe

`apiserver.rest.aggregated` passes requests on.
"""
