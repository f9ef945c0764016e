"""Folders of a node that are volumes, on a real file system, asked for as the kubelet's pages have them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from kubelet.local_volumes import LocalVolumes
from kubelet.pages import Pages
from machinery.model.errors import BadRequest, MethodNotSupported, Unavailable


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """The pages of a kubelet that has nothing but folders."""
    nothing: Any = None
    fields = dict.fromkeys(Pages.__dataclass_fields__, nothing)
    return Pages(**fields | {"local_volumes": LocalVolumes(tmp_path / "local-volumes"), "node_name": "n"})


async def _names(pages: Pages, method: str, path: str) -> list[str]:
    page = await pages.page(method, path)
    assert isinstance(page.body, bytes)
    found: list[str] = json.loads(page.body)["names"]
    return found


async def test_a_folder_is_made_and_removed_once_or_often(pages: Pages, tmp_path: Path):
    """What is in it stays until it is removed; whoever a pod's processes are, they may write."""
    assert await _names(pages, "GET", "/localVolumes") == []
    for _ in range(2):
        assert await _names(pages, "POST", "/localVolumes/pvc-1") == ["pvc-1"]
        folder = tmp_path / "local-volumes" / "pvc-1"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o777
        (folder / "below").mkdir(exist_ok=True)
        (folder / "below" / "data").write_text("kept")
    assert (folder / "below" / "data").read_text() == "kept"
    for _ in range(2):
        assert await _names(pages, "DELETE", "/localVolumes/pvc-1") == []
    assert not folder.exists()


async def test_what_a_crash_left_half_made_is_no_volume(pages: Pages, tmp_path: Path):
    """It is finished, or goes with the volume."""
    for name in ("pvc-1~", "pvc-2~"):
        (tmp_path / "local-volumes" / name).mkdir(parents=True)
    assert await _names(pages, "GET", "/localVolumes") == []
    assert await _names(pages, "POST", "/localVolumes/pvc-1") == ["pvc-1"]
    assert await _names(pages, "DELETE", "/localVolumes/pvc-2") == ["pvc-1"]
    assert [each.name for each in (tmp_path / "local-volumes").iterdir()] == ["pvc-1"]


async def test_a_link_in_a_folder_leads_nowhere_when_it_is_removed(pages: Pages, tmp_path: Path):
    """What a pod puts in a folder cannot reach out of it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data").write_text("mine")
    await pages.page("POST", "/localVolumes/pvc-1")
    (tmp_path / "local-volumes" / "pvc-1" / "out").symlink_to(outside)
    await pages.page("DELETE", "/localVolumes/pvc-1")
    assert (outside / "data").read_text() == "mine"


@pytest.mark.parametrize("name", ["..", "a/b", "a/..", ".hidden", "UPPER", "a" * 254, "%2e%2e"])
async def test_no_name_leads_out_of_the_folders(pages: Pages, name: str):
    """It is refused as no volume's."""
    with pytest.raises(BadRequest, match="no name of a PersistentVolume"):
        await pages.page("DELETE", f"/localVolumes/{name}")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/localVolumes"), ("PUT", "/localVolumes/a"), ("GET", "/localVolumes/a")]
)
async def test_other_methods_are_refused(pages: Pages, method: str, path: str):
    """All folders are read at once; one is made or removed."""
    with pytest.raises(MethodNotSupported):
        await pages.page(method, path)


async def test_a_folder_that_cannot_be_made_says_why(pages: Pages, tmp_path: Path):
    """It may be asked for again."""
    (tmp_path / "local-volumes").write_text("no folder")
    with pytest.raises(Unavailable, match="the folder of volume pvc-1 on node n: "):
        await pages.page("POST", "/localVolumes/pvc-1")
