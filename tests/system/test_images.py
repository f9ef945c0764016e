"""Images where the nodes find them, without a network: `kubarium load` and the cluster's own registry."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubarium import Cluster, KubariumError
from tests.support.clusters import clusters
from tests.support.kubectl import Kubectl, eventually
from tests.support.ports import free_port
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

IMAGE = "kubarium-loaded:latest"


@dataclass(frozen=True)
class Registered:
    """A cluster with a registry, and where that is."""

    cluster: Cluster
    host: str


@pytest.fixture(scope="module")
def registered(images: None) -> Iterator[Registered]:
    """One node, real containers, a registry on a port that nobody has; an image that only the engine has."""
    need("etcd", "docker", "cni", "kubectl", "docker-registry")
    port = free_port()
    docker("tag", "busybox:1.36", IMAGE)
    with clusters() as start:
        try:
            yield Registered(start("reg", nodes=1, runtime="docker", registry_port=port), f"localhost:{port}")
        finally:
            docker("rmi", "--force", IMAGE, f"localhost:{port}/{IMAGE}")


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def test_tools_are_told_where_the_registry_is(registered: Registered):
    """As kind documents it."""
    found = Kubectl(registered.cluster.kubeconfig, "kube-public").get("configmap", "local-registry-hosting")
    assert f'host: "{registered.host}"\n' in found["data"]["localRegistryHosting.v1"]


def test_a_loaded_image_is_pulled_by_pods_that_always_pull(registered: Registered):
    """From the registry: the engine has lost the name when the pod starts."""
    (loaded,) = registered.cluster.load([IMAGE])
    target = f"{registered.host}/{IMAGE}"
    assert (loaded.image, loaded.pushed) == (IMAGE, target)
    assert loaded.id == docker("image", "inspect", "--format", "{{.Id}}", IMAGE).strip()
    assert loaded.digest in docker("image", "inspect", "--format", "{{.RepoDigests}}", target)
    docker("rmi", target)
    kubectl = Kubectl(registered.cluster.kubeconfig, "default")
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0)
    kubectl("run", "loaded", f"--image={target}", "--restart=Never", "--", "sleep", "1000")
    assert kubectl.get("pod", "loaded")["spec"]["containers"][0]["imagePullPolicy"] == "Always"
    kubectl("wait", "pod/loaded", "--for=condition=Ready", "--timeout=180s")
    kubectl("delete", "pod", "loaded", "--wait=true", "--grace-period=1")


def test_an_archive_is_loaded(registered: Registered, tmp_path: Path):
    """What another engine has saved, with all the names in it."""
    archive = tmp_path / "saved.tar"
    docker("save", "--output", str(archive), IMAGE)
    docker("rmi", "--force", IMAGE)
    assert [each.image for each in registered.cluster.load([str(archive)])] == [IMAGE]
    assert docker("image", "ls", "--quiet", IMAGE)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("kubarium-nowhere:1", "the engine has no image 'kubarium-nowhere:1': `docker build"),
        ("./nowhere.tar", "nowhere.tar: No such file"),
        ("Upper:1", "the engine has no image|invalid reference"),
        ("../..", "Is a directory"),
        ("a//b", "invalid reference format"),
        (f"{IMAGE}@sha256:{'0' * 64}", "the engine has no image|cannot be pushed"),
        ("", "is no name of an image"),
        ("a\nb", "is no name of an image"),
    ],
)
def test_what_cannot_be_loaded_is_an_error(registered: Registered, wanted: str, why: str):
    """That names it, instead of a success that a pod finds out about."""
    with pytest.raises(KubariumError, match=why):
        registered.cluster.load([wanted])


def test_without_the_registry_nothing_is_claimed(registered: Registered):
    """One that is down takes nothing; it is back when it is restarted, with what it had."""
    registered.cluster.kill("registry")
    try:
        with pytest.raises(KubariumError, match="connection refused"):
            registered.cluster.load([IMAGE])
    finally:
        registered.cluster.restart("registry")
    eventually(lambda: registered.cluster.load([IMAGE])[0].digest != "", timeout_s=120)
