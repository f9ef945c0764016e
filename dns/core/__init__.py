"""What the DNS server decides: pure functions from the API's objects and a question to an answer.

records   the values that names have
names     what a name of the cluster's domain asks for
zone      the answers for the cluster's domain, out of Services, EndpointSlices and namespaces
messages  questions and answers as they are on the wire
hot       answers as bytes, by what they depend on
upstream  which servers answer what is not ours, and how long what they said may be told again
"""
