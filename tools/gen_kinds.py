"""Generate machinery/model/k8s/{served,unserved}.py: what the kinds are called. With --check, fail where they are stale.

served: the kinds that there are; unserved: those that Kubernetes has besides, and parts of kinds.
Group, version, kind and status come from the published schemas, the rest from `tools/kind_facts.py`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence

from gen_k8s import TARGET, VERSION, definitions
from kind_facts import (
    COMPUTED,
    NO_PLACES,
    PARTS,
    POSTED,
    REVIEWS,
    SCHEMAS,
    STORED,
    Fact,
    Part,
)

ROOT = "io.k8s."
FILE = TARGET / "served.py"
UNSERVED_FILE = TARGET / "unserved.py"
_KINDS_MEANING = '"""Kinds by group, version and plural."""'
EVERY_VERB = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


def full(schema: str) -> str:
    """Return the whole name of a schema; those of Kubernetes' own API are written without its package."""
    return schema if schema.startswith(ROOT) else SCHEMAS + schema


def identity(schema: str) -> tuple[str, str, str]:
    """Return group, version and kind of a schema."""
    found = definitions()[full(schema)]["x-kubernetes-group-version-kind"][0]
    return found["group"], found["version"], found["kind"]


def plural_of(word: str) -> str:
    """Write a word's plural by the rules of English that kinds follow."""
    if word.endswith(("s", "x", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"


def constant_of(kind: str, plural: str) -> str:
    """Write the plural as a constant: REPLICA_SETS for ReplicaSet and replicasets."""
    words = re.findall("[A-Z]+(?![a-z])|[A-Z][a-z0-9]+", kind)
    before = "".join(words[:-1])
    return "_".join([*(word.upper() for word in words[:-1]), plural[len(before) :].upper()])


def subresources(fact: Fact) -> Iterator[tuple[str, Part]]:
    """List the subresources of a stored kind by name."""
    names = set(fact.subresources.split())
    if "status" in definitions()[full(fact.schema)]["properties"]:
        names.add("status")
    for name in sorted(names):
        yield name, PARTS[name]


def subresource_text(fact: Fact, part: Part) -> str:
    """Write one subresource."""
    group, version, kind = identity(part.schema or fact.schema)
    schema = "" if part.kind else full(part.schema or fact.schema)
    named = part.kind.format(kind) or kind
    older = f", older={tuple(part.older.split())}" if part.older else ""
    return f"Subresource({named!r}, {group!r}, {version!r}, {tuple(part.verbs.split())}, {schema!r}{older})"


def kind_text(fact: Fact, *, stored: bool) -> str:
    """Write one kind, in one line."""
    group, version, kind = identity(fact.schema)
    plural = fact.plural or plural_of(kind.lower())
    verbs = tuple(verb for verb in EVERY_VERB if verb not in fact.lacks.split()) if stored else ("create",)
    parts = {name: subresource_text(fact, part) for name, part in subresources(fact)} if stored else {}
    name = constant_of(kind, plural) + (
        f"_{group.partition('.')[0]}_{version}".upper() if fact.stored_as else ""
    )
    optional = {
        "verbs": "" if verbs == EVERY_VERB else verbs,
        "short_names": tuple(fact.short.split()),
        "categories": tuple(fact.categories.split()),
        "warning": repr(fact.warning) if fact.warning else "",
        "subresources": "{" + ", ".join(f"{name!r}: {text}" for name, text in parts.items()) + "}" if parts else "",
    }  # fmt: skip
    values = [*map(repr, (group, version, kind, plural, kind.lower(), full(fact.schema), not fact.cluster))]
    values += [f"{name}={value}" for name, value in optional.items() if value]
    return f"{name}: Final = KindNames({', '.join(values)})"


def tuple_text(name: str, meaning: str, lines: Sequence[str]) -> str:
    """Write the tuple of all kinds of a sort."""
    members = " ".join(f"{line.partition(':')[0]}," for line in lines)
    return f'{name}: Final = ({members})\n"""{meaning}"""'


def versions_text(facts: Sequence[Fact], lines: Sequence[str]) -> str:
    """Write which version is stored of the kinds that have several."""
    names = {fact.schema: line.partition(":")[0] for fact, line in zip(facts, lines, strict=True)}
    pairs = (f"{names[fact.schema]}: {names[fact.stored_as]}" for fact in facts if fact.stored_as)
    return (
        f"STORED_AS: Final[dict[KindNames, KindNames]] = {{{', '.join(pairs)}}}\n"
        '"""The version that is stored, by each of the others."""'
    )


def text(facts: Sequence[Fact] = STORED) -> str:
    """Write the module."""
    stored = [kind_text(fact, stored=True) for fact in facts]
    reviews = [kind_text(fact, stored=False) for fact in REVIEWS]
    posted = [kind_text(fact, stored=False) for fact in POSTED]
    computed = [kind_text(fact, stored=True) for fact in COMPUTED]
    parts = [
        f'"""What the kinds of Kubernetes {VERSION} that are served are called, made by tools/gen_kinds.py; not to be edited."""',
        "# ruff: noqa\nfrom __future__ import annotations\n\nfrom typing import Final",
        "from machinery.model.kinds import KindNames, Subresource",
        "\n".join(stored),
        "\n".join(reviews),
        "\n".join(posted),
        "\n".join(computed),
        tuple_text("STORED", "Kinds whose objects are kept.", stored),
        versions_text(facts, stored),
        tuple_text("REVIEWS", "Kinds whose objects are answered, not kept.", reviews),
        tuple_text("POSTED", "Kinds whose objects change another one, and are not kept.", posted),
        tuple_text("COMPUTED", "Kinds whose objects are made when they are read.", computed),
    ]
    return "\n\n".join(parts).replace("'", '"') + "\n"


def unserved_kinds() -> dict[tuple[str, str, str], str]:
    """Return the kinds that Kubernetes has and no `Fact` names: by group, version and plural."""
    served = {full(fact.schema) for fact in (*STORED, *REVIEWS, *POSTED, *COMPUTED)}
    apart = {full(schema) for schema in NO_PLACES}
    found: dict[tuple[str, str, str], str] = {}
    for name, schema in definitions().items():
        is_object = "ObjectMeta" in str(schema.get("properties", {}).get("metadata", ""))
        if is_object and name not in {*served, *apart} and "x-kubernetes-group-version-kind" in schema:
            named = schema["x-kubernetes-group-version-kind"][0]
            plural = plural_of(named["kind"].lower())
            found[named["group"], named["version"], plural] = named["kind"]
    return dict(sorted(found.items()))


def unserved_text() -> str:
    """Write the module of what is not served."""
    kinds = "".join(f"    {key!r}: {kind!r},\n" for key, kind in unserved_kinds().items())
    written = [
        f'"""What Kubernetes {VERSION} has and is not served, made by tools/gen_kinds.py; not to be edited."""',
        "# ruff: noqa\nfrom __future__ import annotations\n\nfrom typing import Final",
        f"KINDS: Final[dict[tuple[str, str, str], str]] = {{\n{kinds}}}\n" + _KINDS_MEANING,
    ]
    return "\n\n".join(written).replace("'", '"') + "\n"


def main() -> None:
    """Generate, or check.

    Raises:
        SystemExit: with --check, what is generated is stale.
    """
    for file, made in ((FILE, text()), (UNSERVED_FILE, unserved_text())):
        if "--check" not in sys.argv:
            file.write_text(made)
        elif not file.exists() or file.read_text() != made:
            raise SystemExit(f"{file.name} is stale: run python tools/gen_kinds.py")


if __name__ == "__main__":
    main()
