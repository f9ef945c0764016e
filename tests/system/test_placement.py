"""Which nodes pods get, by the manifests that people find in articles, word by word: a selector, affinity, a taint, zones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubarium import Cluster
from tests.support.clusters import clusters
from tests.support.kubectl import Kubectl, eventually
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster]

# What is said of a pod's spec in between is filled in where `{}` stands.
POD = """
apiVersion: v1
kind: Pod
metadata:
  name: {}
spec:
  containers:
    - name: app
      image: nginx:1.25
"""
ON_A_GRAPHICS_NODE = """
  nodeSelector:
    disktype: ssd
    gpu: "true"
"""
IN_A_ZONE = """
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:  # 필수 조건
        nodeSelectorTerms:
          - matchExpressions:
              - key: zone
                operator: In
                values: ["ap-northeast-2a", "ap-northeast-2c"]
      preferredDuringSchedulingIgnoredDuringExecution:  # 선호 조건
        - weight: 100
          preference:
            matchExpressions:
              - key: disktype
                operator: In
                values: ["ssd"]
"""
TOLERANT = """
  tolerations:
    - key: "gpu"
      operator: "Equal"
      value: "true"
      effect: "NoSchedule"
"""
BESIDE_REDIS = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-app-with-redis-affinity
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web-app
  template:
    metadata:
      labels:
        app: web-app
        tier: frontend
    spec:
      containers:
      - name: web-app
        image: nginx:1.25
      # 🧲 Pod Affinity 설정
      affinity:
        podAffinity:
          # 🔥 필수 조건: 반드시 함께 배치
          requiredDuringSchedulingIgnoredDuringExecution:
          - labelSelector:
              matchExpressions:
              - key: app
                operator: In
                values:
                - redis            # Redis 파드와 함께
              - key: role
                operator: In
                values:
                - cache
            topologyKey: kubernetes.io/hostname  # 같은 호스트에

          # 🎯 선호 조건: 가능하면 함께 배치
          preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 100            # 우선순위 (1-100)
            podAffinityTerm:
              labelSelector:
                matchLabels:
                  app: monitoring  # 모니터링 파드와도 가능하면 함께
              topologyKey: kubernetes.io/hostname
"""
OVER_ZONES = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: distributed-microservice
  labels:
    app: user-service
spec:
  replicas: 9
  selector:
    matchLabels:
      app: user-service
  template:
    metadata:
      labels:
        app: user-service
        component: backend
        tier: microservice
    spec:
      # ⚖️ 토폴로지 분배 제약 조건
      topologySpreadConstraints:

      # 🏢 1단계: 존(Zone) 레벨 분배
      - maxSkew: 1                    # 존 간 최대 1개 차이
        topologyKey: topology.kubernetes.io/zone
        whenUnsatisfiable: DoNotSchedule
        labelSelector:
          matchLabels:
            app: user-service
        minDomains: 3                 # 최소 3개 존 사용

      # 🖥️ 2단계: 노드 레벨 분배
      - maxSkew: 2                    # 노드 간 최대 2개 차이
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: ScheduleAnyway  # 노드 부족 시 강제 배치
        labelSelector:
          matchLabels:
            app: user-service

      containers:
      - name: user-service
        image: user-service:v2.1
        ports:
        - containerPort: 8080
        resources:
          requests:
            cpu: 200m
            memory: 256Mi
          limits:
            cpu: 500m
            memory: 512Mi
"""
ZONES = {"gpu-node-1": "a", "ssd-1": "a", "disk-1": "b", "ssd-2": "c", "disk-2": "c"}
NODES = "".join(
    f"""
- name: {name}
  cpu: "4"
  memory: 8Gi
  zone: ap-northeast-2{zone}
  labels: {{zone: ap-northeast-2{zone}, disktype: {"hdd" if name.startswith("disk") else "ssd"}{', gpu: "true"' if name == "gpu-node-1" else ""}}}"""
    for name, zone in ZONES.items()
)


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """Five nodes in three zones, of which one is for graphics; their containers are simulated."""
    need("etcd", "kubectl")
    file: Path = tmp_path_factory.mktemp("placement") / "cluster.yaml"
    file.write_text(f"apiVersion: kubarium.dev/v1alpha1\nkind: Cluster\nname: placement\nnodes:{NODES}\n")
    with clusters() as start:
        cluster: Cluster = start("placement", file=file, runtime="hollow", profile="fast")
        kubectl = Kubectl(cluster.kubeconfig)
        kubectl("taint", "nodes", "gpu-node-1", "gpu=true:NoSchedule")
        yield kubectl


def places(kubectl: Kubectl, number: int, *selector: str) -> Counter[str]:
    """Wait until so many pods run, and return how many of them are on each node."""

    def running() -> Counter[str] | None:
        found = kubectl.get("pods", *selector)
        nodes = [each["spec"]["nodeName"] for each in found if each["status"]["phase"] == "Running"]
        return Counter(nodes) if len(nodes) == number else None

    return eventually(running, what=f"{number} pods that run")


def waits(kubectl: Kubectl, pod: str) -> str:
    """Wait until a pod is known to fit on no node, and return why."""

    def why() -> str:
        conditions = kubectl.get("pod", pod)["status"].get("conditions") or []
        return next((each["message"] for each in conditions if each.get("reason") == "Unschedulable"), "")

    return eventually(why, what=f"why {pod} waits")


def test_a_taint_keeps_pods_away_unless_they_tolerate_it(kubectl: Kubectl):
    """A selector alone does not lead to the node for graphics; with the toleration it does."""
    kubectl("apply", "-f", "-", stdin=POD.format("gpu-1") + ON_A_GRAPHICS_NODE)
    assert waits(kubectl, "gpu-1").startswith(
        "0/5 nodes are available: 1 node(s) had untolerated taint(s), 4 node(s) didn't match Pod's node affinity/selector."
    )
    kubectl("apply", "-f", "-", stdin=POD.format("gpu-2") + ON_A_GRAPHICS_NODE + TOLERANT)
    assert places(kubectl, 1, "--field-selector=metadata.name=gpu-2") == {"gpu-node-1": 1}


def test_a_zone_is_required_and_a_disk_preferred(kubectl: Kubectl):
    """Of the zones a and c, the nodes with an SSD that are not tainted."""
    for number in range(4):
        kubectl("apply", "-f", "-", stdin=POD.format(f"zone-{number}") + IN_A_ZONE)
    nodes = {
        node
        for number in range(4)
        for node in places(kubectl, 1, f"--field-selector=metadata.name=zone-{number}")
    }
    assert nodes <= {"ssd-1", "ssd-2"}


def test_web_servers_run_where_their_cache_does(kubectl: Kubectl):
    """They wait for it; all three are on its node then."""
    kubectl("apply", "-f", "-", stdin=BESIDE_REDIS)
    first = eventually(lambda: kubectl.pods("app=web-app"), what="web servers")[0]
    assert "didn't match pod affinity rules" in waits(kubectl, first["metadata"]["name"])
    kubectl("run", "redis", "--image=redis:7", "--labels=app=redis,role=cache")
    [cache] = places(kubectl, 1, "-lapp=redis")
    assert places(kubectl, 3, "-lapp=web-app") == {cache: 3}


def test_nine_replicas_are_three_in_each_zone(kubectl: Kubectl):
    """The tainted node takes none, and within a zone no node has two more than another one."""
    kubectl("apply", "-f", "-", stdin=OVER_ZONES)
    nodes = places(kubectl, 9, "-lapp=user-service")
    zones = Counter(dict.fromkeys("abc", 0))
    for node, number in nodes.items():
        zones[ZONES[node]] += number
    assert zones == {"a": 3, "b": 3, "c": 3}
    assert "gpu-node-1" not in nodes
    assert abs(nodes["ssd-2"] - nodes["disk-2"]) == 1
