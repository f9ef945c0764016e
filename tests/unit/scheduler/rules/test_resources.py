"""NodeResourcesFit, NodeResourcesBalancedAllocation, ImageLocality: what is requested, what is free, and what follows.

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/
"""

import pytest

from machinery.model.k8s.core_v1 import ContainerImage
from scheduler.core.configured.args import build_plugin
from scheduler.core.plugins.balanced_allocation import NodeResourcesBalancedAllocation
from scheduler.core.plugins.image_locality import ImageLocality
from scheduler.core.plugins.node_resources_fit import NodeResourcesFit
from tests.support.builders import changed, node
from tests.support.scheduler_rules import ask, spec

MIB = 1024 * 1024


def sized(name, **amounts):
    whole = {"cpu": "4", "memory": "8Gi", "pods": "10"} | {
        key.replace("__", "/").replace("_", "."): each for key, each in amounts.items()
    }
    return changed(node(name), status__allocatable=whole)


def asking(*containers, init=(), **fields):
    def listed(kind, all_of_them):
        return (
            f"{kind}: ["
            + ", ".join(
                f"{{name: c{number}, image: 'app:1', {each}}}" for number, each in enumerate(all_of_them)
            )
            + "]"
        )

    parts = [
        listed("containers", containers or ("resources: {}",)),
        *([listed("initContainers", init)] if init else []),
    ]
    return "\n".join([*parts, *(f"{key}: {value}" for key, value in fields.items())])


def req(**amounts):
    return f"resources: {{requests: {amounts}}}".replace("__", "/")


def used(where, *containers, name="there"):
    return spec(asking(*containers) + f"\nnodeName: {where}", name)


N = sized("n")
CPU, MEMORY, PODS = "Insufficient cpu", "Insufficient memory", "Too many pods"
GPU = "Insufficient a.b/gpu"
ALWAYS = "restartPolicy: Always"


@pytest.mark.parametrize(
    ("rule", "asked", "nodes", "running", "why"),
    [
        ("exactly what is there", asking(req(cpu="4", memory="8Gi")), [N], [], ""),
        ("a thousandth more", asking(req(cpu="4001m")), [N], [], CPU),
        ("a byte more", asking(req(memory="8589934593")), [N], [], MEMORY),
        ("what others request is not free", asking(req(cpu="3")), [N], [used("n", req(cpu="2"))], CPU),
        ("what others request, exactly the rest", asking(req(cpu="2")), [N], [used("n", req(cpu="2"))], ""),
        ("all that is short is named", asking(req(cpu="5", memory="9Gi")), [N], [], f"{CPU}, {MEMORY}"),
        ("containers add up", asking(req(cpu="2"), req(cpu="2500m")), [N], [], CPU),
        ("init containers run one after the other: the largest counts", asking(req(cpu="1"), init=(req(cpu="4"), req(cpu="3"))), [N], [], ""),
        ("an init container that is too large", asking(req(cpu="1"), init=(req(cpu="5"),)), [N], [], CPU),
        ("sidecars run beside the containers", asking(req(cpu="3"), init=(f"{req(cpu='2')}, {ALWAYS}",)), [N], [], CPU),
        ("sidecars that started before an init container run beside it", asking(req(cpu="1"), init=(f"{req(cpu='2')}, {ALWAYS}", req(cpu="3"))), [N], [], CPU),
        ("an init container runs before later sidecars", asking(req(cpu="1"), init=(req(cpu="4"), f"{req(cpu='2')}, {ALWAYS}")), [N], [], ""),
        ("overhead is added", asking(req(cpu="3500m"), overhead="{cpu: 600m}"), [N], [], CPU),
        ("overhead, exactly the rest", asking(req(cpu="3500m"), overhead="{cpu: 500m}"), [N], [], ""),
        ("limits without requests count nothing here: the API has made them requests", asking("resources: {limits: {cpu: '5'}}"), [N], [], ""),
        ("who requests nothing fits a full node", asking(), [N], [used("n", req(cpu="4", memory="8Gi"))], ""),
        ("who requests nothing of what is overcommitted", asking(req(memory="1Gi")), [N], [used("n", req(cpu="9"))], ""),
        ("a request of zero is none", asking(req(cpu="0")), [N], [used("n", req(cpu="4"))], ""),
        ("the number of pods is limited", asking(), [sized("n", pods="1")], [used("n", req(cpu="1"))], PODS),
        ("a node for no pods", asking(), [sized("n", pods="0")], [], PODS),
        ("too many pods, and too little", asking(req(cpu="5")), [sized("n", pods="0")], [], f"{PODS}, {CPU}"),
        ("an extended resource", asking(req(**{"a.b/gpu": "1"})), [sized("n", a_b__gpu="1")], [], ""),
        ("an extended resource that the node lacks", asking(req(**{"a.b/gpu": "1"})), [N], [], GPU),
        ("an extended resource that is used", asking(req(**{"a.b/gpu": "1"})), [sized("n", a_b__gpu="1")], [used("n", req(**{"a.b/gpu": "1"}))], GPU),
        ("extended resources of containers add up", asking(req(**{"a.b/gpu": "1"}), req(**{"a.b/gpu": "1"})), [sized("n", a_b__gpu="1")], [], GPU),
        ("an extended resource of an init container", asking(req(cpu="1"), init=(req(**{"a.b/gpu": "2"}),)), [sized("n", a_b__gpu="1")], [], GPU),
        ("huge pages", asking(req(**{"hugepages-2Mi": "4Mi", "cpu": "1"})), [sized("n", **{"hugepages-2Mi": "2Mi"})], [], "Insufficient hugepages-2Mi"),
        ("room on disk", asking(req(**{"ephemeral-storage": "2Gi"})), [sized("n", **{"ephemeral-storage": "1Gi"})], [], "Insufficient ephemeral-storage"),
        ("room on disk that a node does not tell of", asking(req(**{"ephemeral-storage": "1"})), [N], [], "Insufficient ephemeral-storage"),
        ("resources of the pod as a whole stand for its containers'", asking(req(cpu="1"), resources="{requests: {cpu: '5'}}"), [N], [], CPU),
        ("resources of the pod as a whole, and one that only containers have", asking(req(cpu="1", memory="9Gi"), resources="{requests: {cpu: '2'}}"), [N], [], MEMORY),
        ("milli, Ki and plain amounts mean the same", asking(req(cpu="4000m", memory="8388608Ki")), [N], [], ""),
    ],
)  # fmt: skip
def test_what_is_requested_has_to_be_free(rule, asked, nodes, running, why):
    """On the node, beside what its pods request; everything that is short is named."""
    assert ask(NodeResourcesFit(), spec(asked), nodes, running).why.get("n", "") == why, rule


def fit(strategy):
    import yaml

    return build_plugin("NodeResourcesFit", yaml.safe_load(f"scoringStrategy: {strategy}"), "args")


CPU_ONLY = "resources: [{name: cpu, weight: 1}]"
SHAPE = "requestedToCapacityRatio: {shape: [{utilization: 0, score: 0}, {utilization: 50, score: 10}, {utilization: 100, score: 0}]}"


@pytest.mark.parametrize(
    ("rule", "plugin", "asked", "running", "score"),
    [
        ("least: all free but what is asked for", NodeResourcesFit(), asking(req(cpu="1", memory="2Gi")), [], 75),
        ("least: the mean of cpu and memory", NodeResourcesFit(), asking(req(cpu="4", memory="2Gi")), [], 37),
        ("least: what others request counts", NodeResourcesFit(), asking(req(cpu="1", memory="2Gi")), [used("n", req(cpu="1", memory="2Gi"))], 50),
        ("least: nothing free", NodeResourcesFit(), asking(req(cpu="4", memory="8Gi")), [], 0),
        ("least: 100m and 200Mi stand for who asks for nothing", NodeResourcesFit(), asking(), [], 97),
        ("least: of each container", NodeResourcesFit(), asking("resources: {}", "resources: {}"), [], 95),
        ("least: cpu alone", fit(f"{{type: LeastAllocated, {CPU_ONLY}}}"), asking(req(cpu="1", memory="8Gi")), [], 75),
        ("least: weights", fit("{type: LeastAllocated, resources: [{name: cpu, weight: 3}, {name: memory, weight: 1}]}"), asking(req(cpu="4", memory="2Gi")), [], 18),
        ("most: all that is used", fit("{type: MostAllocated}"), asking(req(cpu="1", memory="2Gi")), [], 25),
        ("most: full", fit("{type: MostAllocated}"), asking(req(cpu="4", memory="8Gi")), [], 100),
        ("most: with others", fit(f"{{type: MostAllocated, {CPU_ONLY}}}"), asking(req(cpu="1")), [used("n", req(cpu="2"))], 75),
        ("most: weights", fit("{type: MostAllocated, resources: [{name: cpu, weight: 3}, {name: memory, weight: 1}]}"), asking(req(cpu="4", memory="2Gi")), [], 81),
        ("ratio: on the way up", fit(f"{{type: RequestedToCapacityRatio, {CPU_ONLY}, {SHAPE}}}"), asking(req(cpu="1")), [], 50),
        ("ratio: at the top", fit(f"{{type: RequestedToCapacityRatio, {CPU_ONLY}, {SHAPE}}}"), asking(req(cpu="2")), [], 100),
        ("ratio: on the way down", fit(f"{{type: RequestedToCapacityRatio, {CPU_ONLY}, {SHAPE}}}"), asking(req(cpu="3")), [], 50),
        ("ratio: full", fit(f"{{type: RequestedToCapacityRatio, {CPU_ONLY}, {SHAPE}}}"), asking(req(cpu="4")), [], 0),
        ("an extended resource counts for who requests it", fit("{type: MostAllocated, resources: [{name: a.b/gpu, weight: 1}]}"), asking(req(**{"a.b/gpu": "1"})), [], 50),
        ("and for nobody else", fit("{type: MostAllocated, resources: [{name: a.b/gpu, weight: 1}]}"), asking(req(cpu="1")), [], 0),
    ],
)  # fmt: skip
def test_how_a_node_is_rated_by_what_is_requested_of_it(rule, plugin, asked, running, score):
    """4 cpus, 8Gi and two cards; in percent, cut to whole numbers."""
    assert ask(plugin, spec(asked), [sized("n", a_b__gpu="2")], running).scores == {"n": score}, rule


@pytest.mark.parametrize(
    ("rule", "asked", "running", "score"),
    [
        ("used alike", asking(req(cpu="1", memory="2Gi")), [], 100),
        ("half the difference of the shares is missing", asking(req(cpu="2", memory="2Gi")), [], 87),
        ("one full, one empty", asking(req(cpu="4")), [], 50),
        ("what others request counts", asking(req(cpu="1")), [used("n", req(memory="2Gi"))], 100),
        ("others' defaults do not count", asking(req(cpu="2", memory="4Gi")), [used("n")], 100),
        ("who asks for nothing is not rated", asking(), [], 0),
        ("more than all counts as all", asking(req(cpu="2", memory="8Gi")), [used("n", req(cpu="3"))], 100),
    ],
)  # fmt: skip
def test_how_a_node_is_rated_by_its_balance(rule, asked, running, score):
    """NodeResourcesBalancedAllocation, with cpu and memory."""
    assert ask(NodeResourcesBalancedAllocation(), spec(asked), [N], running).scores == {"n": score}, rule


def having(name, **images):
    listed = [
        ContainerImage(names=[image.replace("_", ":")], sizeBytes=size * MIB)
        for image, size in images.items()
    ]
    return changed(node(name), status__images=listed)


def pulling(*images):
    return spec(
        "containers: ["
        + ", ".join(f"{{name: c{number}, image: '{each}'}}" for number, each in enumerate(images))
        + "]"
    )


@pytest.mark.parametrize(
    ("rule", "images", "nodes", "scores"),
    [
        ("nobody has it", ["app:1"], [having("a"), having("b")], {"a": 0, "b": 0}),
        ("who has it is better", ["app:1"], [having("a", app_1=1000), having("b")], {"a": 48, "b": 0}),
        ("the size counts by the share of nodes that have it", ["app:1"], [having("a", app_1=1000), having("b", app_1=1000)], {"a": 100, "b": 100}),
        ("below 23 MiB it does not matter", ["app:1"], [having("a", app_1=22), having("b", app_1=22)], {"a": 0, "b": 0}),
        ("more than 1000 MiB counts as that", ["app:1"], [having("a", app_1=5000), having("b", app_1=5000)], {"a": 100, "b": 100}),
        ("half way", ["app:1"], [having("a", app_1=512), having("b", app_1=512)], {"a": 50, "b": 50}),
        ("another tag is another image", ["app:1"], [having("a", app_2=1000), having("b")], {"a": 0, "b": 0}),
        ("without a tag it is the latest", ["app"], [having("a", app_latest=1000), having("b", app_latest=1000)], {"a": 100, "b": 100}),
        ("two containers may have twice as much", ["app:1", "db:1"], [having("a", app_1=1000), having("b", app_1=1000)], {"a": 49, "b": 49}),
        ("images of several containers add up", ["app:1", "db:1"], [having("a", app_1=1000, db_1=1000), having("b", app_1=1000, db_1=1000)], {"a": 100, "b": 100}),
    ],
)  # fmt: skip
def test_how_a_node_is_rated_by_the_images_that_it_has(rule, images, nodes, scores):
    """ImageLocality."""
    assert ask(ImageLocality(), pulling(*images), nodes).scores == scores, rule
