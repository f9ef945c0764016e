"""Which plugins have come and gone, and what they call the kubelet's folder."""

from __future__ import annotations

import pytest

from kubelet.core.plugins import Identity, News, diff, path_here, path_there

OLD, NEW = Identity(1, 2, 3), Identity(1, 2, 4)
ROOT = "/srv/node-1/kubelet"


@pytest.mark.parametrize(
    ("before", "now", "gone", "come"),
    [
        ({}, {}, "", ""),
        ({}, {"a": OLD}, "", "a"),
        ({"a": OLD}, {"a": OLD}, "", ""),
        ({"a": OLD}, {}, "a", ""),
        ({"a": OLD, "b": OLD}, {"a": NEW, "b": OLD, "c": OLD}, "a", "ac"),
    ],
)
def test_a_look_is_compared_with_the_one_before(
    before: dict[str, Identity], now: dict[str, Identity], gone: str, come: str
):
    """A socket that was made anew has gone and come."""
    assert diff(before, now) == News(frozenset(gone), frozenset(come))


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("/var/lib/kubelet/plugins/x/csi.sock", f"{ROOT}/plugins/x/csi.sock"),
        ("/var/lib/kubelet", ROOT),
        ("/var/lib/kubelets/x.sock", "/var/lib/kubelets/x.sock"),
        (f"{ROOT}/plugins/x/csi.sock", f"{ROOT}/plugins/x/csi.sock"),
        ("/run/x.sock", "/run/x.sock"),
    ],
)
def test_a_plugin_may_call_the_kubelets_folder_by_its_usual_name(there: str, here: str):
    """What it names is found, and what it is told is named as it names things."""
    assert path_here(there, ROOT) == here
    assert path_there(here, ROOT, endpoint=there) == there
