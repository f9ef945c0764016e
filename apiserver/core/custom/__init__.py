"""CustomResourceDefinitions, decided: what they may say, what their kinds do with objects, what is published.

definition_rules    what a definition may say; schema_rules: what its schemas may, structure: that they are structural
definitions         the rules of the kind CustomResourceDefinition; schema_types: the form of schemas
naming              which definition has which names: the conditions; heads: what is known without the schemas
structural          a schema, compiled piece by piece as objects use it
pruning, defaulting from a client's object to the stored one
values, lists, embedded, expressions    what is wrong with an object; problems: in which words
language            rules in CEL, imported with the first: rules_check (of a definition), rule_programs (of an object)
formats             texts, in linear time
columns, jsonpath, selectable           how objects are printed and selected
publishing          the schema in OpenAPI
serving             one definition → the entries of the catalogue

At work it is in `apiserver.custom_resources`.
"""
