"""The generator of kinds' names: what follows from a schema and one line of facts."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from machinery.model.kinds import EVERY_VERB

TOOLS = Path(__file__).parents[3] / "tools"


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """The generator, and its table of facts."""
    monkeypatch.syspath_prepend(str(TOOLS))
    return import_module("gen_kinds"), import_module("kind_facts")


def served(tools: tuple[ModuleType, ModuleType], *facts: Any) -> dict[str, Any]:
    """Run the module that these facts become."""
    namespace: dict[str, Any] = {}
    exec(tools[0].text(facts), namespace)
    return namespace


def test_a_kind_is_one_line(tools: tuple[ModuleType, ModuleType]) -> None:
    """Group, version, kind, plural, scope and status follow; the rest has the usual values."""
    found = served(tools, tools[1].Fact("networking.v1.Ingress", short="ing"))
    kind = found["INGRESSES"]
    assert kind.gvr == ("networking.k8s.io", "v1", "ingresses")
    assert (kind.kind, kind.singular, kind.namespaced) == ("Ingress", "ingress", True)
    assert (kind.verbs, kind.short_names, kind.categories) == (EVERY_VERB, ("ing",), ())
    assert list(kind.subresources) == ["status"]
    assert kind.definition == kind.subresources["status"].definition == "io.k8s.api.networking.v1.Ingress"
    assert found["STORED"] == (kind,)


@pytest.mark.parametrize(
    ("schema", "constant"),
    [
        ("networking.v1.NetworkPolicy", "NETWORK_POLICIES"),
        ("storage.v1.StorageClass", "STORAGE_CLASSES"),
        ("storage.v1.CSIDriver", "CSI_DRIVERS"),
        ("apps.v1.DaemonSet", "DAEMON_SETS"),
    ],
)
def test_plurals_follow_the_rules_of_english(
    tools: tuple[ModuleType, ModuleType], schema: str, constant: str
) -> None:
    """And so do the names of the constants."""
    kind = served(tools, tools[1].Fact(schema))[constant]
    assert kind.plural == constant.replace("_", "").lower()


def test_versions_of_a_kind_say_which_one_is_stored(tools: tuple[ModuleType, ModuleType]) -> None:
    """They need constants of their own."""
    stored = tools[1].Fact("autoscaling.v2.HorizontalPodAutoscaler", short="hpa")
    other = tools[1].Fact("autoscaling.v1.HorizontalPodAutoscaler", short="hpa", stored_as=stored.schema)
    found = served(tools, stored, other)
    kinds = found["HORIZONTAL_POD_AUTOSCALERS_AUTOSCALING_V1"], found["HORIZONTAL_POD_AUTOSCALERS"]
    assert [kind.version for kind in kinds] == ["v1", "v2"]
    assert found["STORED_AS"] == {kinds[0]: kinds[1]}
