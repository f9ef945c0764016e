"""The catalogue of kinds: what may be in it together, what goes together, and who is told."""

from __future__ import annotations

import pytest

from apiserver.core.catalogue import Catalogue, PerGeneration
from apiserver.core.discovery import Discovery
from apiserver.core.kind import Kind, make_kind
from machinery.model.k8s import served
from machinery.model.kinds import KindNames
from tests.support.toy_kinds import GROUP, widgets, widgets_in_two_versions


def names(version: str, plural: str = "widgets") -> KindNames:
    return KindNames(GROUP, version, "Widget", plural, "widget", "com.example.Widget", namespaced=True)


def test_a_kind_is_found_by_its_names_and_by_its_objects() -> None:
    """A review has names, and is no stored kind."""
    kind = widgets()
    catalogue = Catalogue([kind], served.REVIEWS)
    assert catalogue.kind(GROUP, "v1", "widgets") is catalogue.of_type(f"{GROUP}/v1", "Widget") is kind
    assert catalogue.stored(GROUP, "widgets") is kind
    review = served.TOKEN_REVIEWS
    assert catalogue.names(*review.gvr) is review
    assert catalogue.kind(*review.gvr) is None
    assert set(catalogue.served()) == {kind, *served.REVIEWS}


def test_what_is_there_or_in_the_way_cannot_be_added() -> None:
    """The same kind, one whose objects would lie among others', and a version without the one that is stored."""
    stored, older = widgets_in_two_versions()
    catalogue = Catalogue([widgets()])
    with pytest.raises(ValueError, match="is served already"):
        catalogue.add(widgets())
    with pytest.raises(ValueError, match="another kind is stored under /registry/widgets"):
        catalogue.add(make_kind(names("v1", "gadgets"), storage_prefix="/registry/widgets"))
    with pytest.raises(ValueError, match="stored as a version that is not served"):
        Catalogue([older])
    assert Catalogue([stored, older]).stored(GROUP, "widgets") is stored


def test_other_versions_go_with_the_one_that_is_stored() -> None:
    """Subscribers are told of each; what is gone may come again."""
    stored, older = widgets_in_two_versions()
    catalogue = Catalogue([stored, older])
    told: list[tuple[str, Kind]] = []
    catalogue.subscribe(lambda kind: told.append(("+", kind)), lambda kind: told.append(("-", kind)))
    catalogue.remove(stored)
    assert told == [("-", older), ("-", stored)]
    assert catalogue.served() == ()
    assert catalogue.stored(GROUP, "widgets") is None
    catalogue.add(stored)
    assert told[-1] == ("+", stored)
    with pytest.raises(KeyError):
        catalogue.remove(older)


def test_what_follows_from_the_catalogue_is_made_again_when_it_changes() -> None:
    """And not before."""
    catalogue = Catalogue([widgets()])
    made: list[int] = []
    count = PerGeneration(catalogue, lambda: made.append(len(catalogue.kinds())) or len(made))
    assert (count(), count()) == (1, 1)
    catalogue.remove(catalogue.kinds()[0])
    assert (count(), count(), made) == (2, 2, [1, 0])


def test_clients_prefer_the_newest_stable_version() -> None:
    """As Kubernetes orders versions: stable before beta before alpha, and what is none of them last."""
    versions = ["v1alpha2", "v1beta1", "v11", "v2", "foo10", "v1", "v3beta1", "v1alpha10"]
    found = Discovery(names(version) for version in versions).versions(GROUP)
    assert found == ("v11", "v2", "v1", "v3beta1", "v1beta1", "v1alpha10", "v1alpha2", "foo10")
