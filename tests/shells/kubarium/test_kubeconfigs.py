"""The user's own kubeconfig: a cluster's contexts come into it on request, and leave with the cluster."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubarium import Cluster, homes
from kubarium.core.kubeconfig import kubeconfig
from kubarium.core.layout import Layout
from kubarium.errors import KubariumError
from kubarium.identity import kubeconfigs

OTHERS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "preferences": {"colors": True},
    "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me", "namespace": "n"}}],
    "current-context": "work",
}


@pytest.fixture
def layout(monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout[Path]]:
    """The folder of a cluster "t" with a kubeconfig, in a HOME of the test's own."""
    with tempfile.TemporaryDirectory(prefix="kb-", dir="/tmp") as folder:
        monkeypatch.setenv("HOME", folder)
        for variable in ("KUBECONFIG", "KUBARIUM_HOME"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("KUBARIUM_HOME", f"{folder}/clusters")
        layout = homes.layout_of("t")
        layout.home.mkdir(parents=True)
        content = kubeconfig("t", {"apiserver": "https://1"}, authority=b"a", certificate=b"c", key=b"k")
        layout.kubeconfig.write_text(yaml.safe_dump(content))
        yield layout


def _content(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


def test_contexts_come_and_go_and_all_else_stays(layout: Layout[Path]):
    """Other entries, their order and what we do not know; merging twice is merging once."""
    file = Path.home() / ".kube" / "config"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(OTHERS))
    file.chmod(0o640)
    kubeconfigs.merge(layout, file)
    kubeconfigs.merge(layout, file)
    content = _content(file)
    assert [each["name"] for each in content["contexts"]] == ["work", "kubarium-t"]
    assert content["current-context"] == "kubarium-t"
    assert (content["preferences"], content["users"][0]) == (OTHERS["preferences"], OTHERS["users"][0])
    assert file.stat().st_mode & 0o777 == 0o640
    assert kubeconfigs.merged_files(layout) == [file]
    kubeconfigs.unmerge(layout, file)
    assert _content(file) == OTHERS | {"current-context": ""}
    assert [path.name for path in file.parent.iterdir()] == ["config"]


def test_a_context_of_somebody_else_stays_current_when_ours_go(layout: Layout[Path]):
    """Only what is ours is taken out."""
    file = kubeconfigs.user_file()
    kubeconfigs.merge(layout, file)
    file.write_text(yaml.safe_dump(_content(file) | {"current-context": "work"}))
    kubeconfigs.unmerge(layout, file)
    assert _content(file)["current-context"] == "work"


def test_a_file_that_is_not_there_is_made(layout: Layout[Path]):
    """For its user alone."""
    file = kubeconfigs.user_file()
    assert file == Path.home() / ".kube" / "config"
    kubeconfigs.merge(layout, file)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_link_stays_a_link(layout: Layout[Path]):
    """The file behind it is changed."""
    real, link = Path.home() / "real", Path.home() / "link"
    real.write_text(yaml.safe_dump(OTHERS))
    link.symlink_to(real)
    kubeconfigs.merge(layout, link)
    assert link.is_symlink()
    assert _content(real)["current-context"] == "kubarium-t"


def test_the_users_file_is_the_first_that_is_no_clusters_own(
    layout: Layout[Path], monkeypatch: pytest.MonkeyPatch
):
    """`up` has its user export KUBECONFIG, and a cluster's own file is not to be merged into."""
    monkeypatch.setenv("KUBECONFIG", f"{layout.kubeconfig}:/elsewhere/config:/third")
    assert kubeconfigs.user_file() == Path("/elsewhere/config")


@pytest.mark.parametrize("text", ["[]", "5", "a: [", "\x00", "clusters: 5", "users: [5]", "contexts: {a: b}"])
def test_what_is_no_kubeconfig_is_left_as_it_is(layout: Layout[Path], text: str):
    """It is named, and nothing is lost."""
    file = Path.home() / "config"
    file.write_text(text)
    with pytest.raises(KubariumError, match=str(file)):
        kubeconfigs.merge(layout, file)
    assert file.read_text() == text
    assert not file.with_name("config.lock").exists()


def test_a_file_that_somebody_else_changes_is_not_touched(
    layout: Layout[Path], monkeypatch: pytest.MonkeyPatch
):
    """As kubectl locks it."""
    monkeypatch.setattr(kubeconfigs, "_LOCK_PATIENCE_S", 0.0)
    lock = Path.home() / "config.lock"
    lock.touch()
    with pytest.raises(KubariumError, match=f"remove {lock}"):
        kubeconfigs.merge(layout, Path.home() / "config")
    assert not (Path.home() / "config").exists()


def test_the_contexts_go_with_the_cluster(layout: Layout[Path]):
    """`down` takes them out; it is not kept from its work by a file that cannot be read any more."""
    good, bad = Path.home() / "good", Path.home() / "bad"
    for file in (good, bad):
        kubeconfigs.merge(layout, file)
    bad.write_text("[")
    told: list[str] = []
    assert Cluster("t").down(progress=told.append)
    assert _content(good)["contexts"] == []
    assert any(str(bad) in line for line in told)
    assert not layout.home.exists()


def test_the_current_cluster_is_remembered_until_it_goes(layout: Layout[Path]):
    """Then it is the default one again; a name that cannot be is none."""
    assert homes.current_name() == "kubarium"
    homes.set_current("t")
    assert homes.current_name() == "t"
    Cluster("t").down()
    assert homes.current_name() == "kubarium"
    (homes.default_home() / ".current").write_text("../..")
    assert homes.current_name() == "kubarium"
