"""KubeSchedulerConfiguration files: what comes of them, and which field an error names."""

import pytest
import yaml

from machinery.model.k8s.core_v1 import (
    Affinity,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    WeightedPodAffinityTerm,
)
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.owners import owner_reference
from scheduler.config_file import configured
from scheduler.core.configured.documents import BadConfiguration
from scheduler.core.configured.profiles import read_configuration
from scheduler.core.evaluations import Evaluations
from scheduler.core.registry import DEFAULT
from scheduler.core.requested import on_line
from tests.support.builders import changed, node, pod, replica_set, taint
from tests.support.scheduler import Decider

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def read(text=""):
    return read_configuration(yaml.safe_load(HEAD + text))


def profile(text):
    """Read the fields of one profile."""
    [found] = read("profiles:\n- " + text.strip().replace("\n", "\n  ")).profiles
    return found


def args(plugin, text):
    return profile(f"pluginConfig:\n- name: {plugin}\n  args: {text}")


def world_of(found, *nodes):
    world = Decider(*nodes)
    world.evaluations = Evaluations(world.snapshot, found)
    return world


def test_an_empty_file_is_the_default_profile():
    """Plugins, weights and points as without a file."""
    [found] = read().profiles
    assert found == DEFAULT
    assert configured("", "default-scheduler").profiles == (DEFAULT,)


def test_profiles_have_names_plugins_and_weights_of_their_own():
    """Several in one file; what is not said is as by default."""
    packing, plain = read("""
profiles:
- schedulerName: packing
  plugins:
    score:
      disabled: [{name: ImageLocality}, {name: NodeResourcesBalancedAllocation}]
      enabled: [{name: NodeResourcesFit, weight: 5}]
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}]}}
- schedulerName: plain
  plugins:
    score: {disabled: [{name: "*"}]}
""").profiles
    assert (packing.scheduler_name, plain.scheduler_name) == ("packing", "plain")
    expected = dict(DEFAULT.weights) | {"NodeResourcesFit": 5}
    del expected["ImageLocality"], expected["NodeResourcesBalancedAllocation"]
    assert packing.weights == expected
    assert plain.weights == {}
    assert plain.filters == packing.filters == DEFAULT.filters
    world = world_of(packing, node("empty"), node("used"))
    world.run(pod("there", node="used", requests={"cpu": "1"}))
    assert world.place(pod(requests={"cpu": "1"})) == ["used"]


def test_a_plugin_may_be_disabled_at_one_point_or_everywhere():
    """A profile without taints ignores them; what is not built stays looked for."""
    found = profile("plugins: {multiPoint: {disabled: [{name: TaintToleration}]}}")
    world = world_of(found, node(taints=[taint("gpu")]))
    assert world.place(pod()) == ["node-1"]
    assert "TaintToleration" not in found.filters | set(found.weights)
    found = profile("plugins: {filter: {disabled: [{name: TaintToleration}]}}")
    assert "TaintToleration" in found.weights
    only = profile("""
plugins:
  multiPoint:
    disabled: [{name: "*"}]
    enabled: [{name: PrioritySort}, {name: DefaultBinder}, {name: NodeName}]
""")
    assert only.filters == {"NodeName", "Unbuilt"}
    assert (only.weights, only.gating, only.remedying) == ({}, frozenset(), frozenset())


@pytest.mark.parametrize(
    ("plugins", "filters", "scores"),
    [
        ("{preScore: {disabled: [{name: '*'}]}, score: {disabled: [{name: '*'}]}}", DEFAULT.filters, set()),
        (
            (
                "{multiPoint: {disabled: [{name: '*'}], enabled: [{name: PrioritySort}, {name: DefaultBinder}]},"
                " preFilter: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit}]},"
                " filter: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit}, {name: NodeName}]},"
                " preScore: {enabled: [{name: TaintToleration}]}, score: {enabled: [{name: TaintToleration, weight: 2}]}}"
            ),
            {"NodeResourcesFit", "NodeName", "Unbuilt"},
            {"TaintToleration"},
        ),
        (
            (
                "{multiPoint: {enabled: [{name: SchedulingGates}, {name: PrioritySort}, {name: NodeResourcesFit, weight: 1},"
                " {name: DynamicResources}, {name: DefaultPreemption}, {name: DefaultBinder}]}}"
            ),
            DEFAULT.filters,
            set(DEFAULT.weights),
        ),
        (
            "{reserve: {enabled: [{name: VolumeBinding}]}, preBind: {enabled: [{name: VolumeBinding}]}}",
            DEFAULT.filters,
            set(DEFAULT.weights),
        ),
        (
            "{queueSort: {disabled: [{name: '*'}], enabled: [{name: PrioritySort}]}}",
            DEFAULT.filters,
            set(DEFAULT.weights),
        ),
        (
            "{bind: {disabled: [{name: '*'}], enabled: [{name: DefaultBinder}]}}",
            DEFAULT.filters,
            set(DEFAULT.weights),
        ),
    ],
)
def test_points_may_be_listed_one_by_one(plugins, filters, scores):
    """As files for Kubernetes' scheduler do it."""
    found = profile(f"plugins: {plugins}")
    assert found.filters == filters
    assert set(found.weights) == scores


def test_what_has_no_effect_is_remarked_upon():
    """Each field once, whatever it says."""
    found = read("""
parallelism: 4
percentageOfNodesToScore: 50
leaderElection: {leaderElect: true}
podInitialBackoffSeconds: 2
podMaxBackoffSeconds: 20
profiles:
- percentageOfNodesToScore: 10
  pluginConfig:
  - name: DefaultPreemption
    args: {minCandidateNodesPercentage: 10}
""")
    assert found.remarks == (
        "parallelism has no effect: one thread decides",
        "leaderElection has no effect: flags say who leads (--leader-elect, --profile)",
        "percentageOfNodesToScore has no effect: all nodes are looked at, for every pod",
        "the arguments of DefaultPreemption have no effect: all nodes are looked at",
    )
    assert (found.initial_backoff_s, found.longest_backoff_s) == (2, 20)
    assert read().remarks == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("podMaxBackoffSeconds: soon", "podMaxBackoffSeconds: Expected `int`, got `str`"),
        ("podInitialBackoffSeconds: 0", "podInitialBackoffSeconds: Invalid value: 0"),
        ("podInitialBackoffSeconds: 30", "podMaxBackoffSeconds: Invalid value: 10"),
        ("profile: []", "unknown field `profile`"),
        ("extenders: [{url: x}]", "extenders[0]: Object contains unknown field `url`"),
        ("extenders: [{urlPrefix: x}]", "extenders[0].urlPrefix: Invalid value: x"),
        (
            "extenders: [{urlPrefix: 'http://x', prioritizeVerb: rate}]",
            "extenders[0].weight: Invalid value: 0: must have a positive weight",
        ),
        (
            "extenders: [{urlPrefix: 'http://x', bindVerb: b}, {urlPrefix: 'http://y', bindVerb: b}]",
            "extenders[1].bindVerb: only one extender can implement bind",
        ),
        (
            "extenders: [{urlPrefix: 'http://x', managedResources: [{name: cpu}]}]",
            "extenders[0].managedResources[0].name: Invalid value: cpu",
        ),
        (
            "extenders: [{urlPrefix: 'http://x', managedResources: [{name: a.b/c}, {name: a.b/c}]}]",
            "extenders[0].managedResources[1].name: Duplicate value: a.b/c",
        ),
        (
            "extenders: [{urlPrefix: 'http://x', httpTimeout: soon}]",
            "extenders[0].httpTimeout: Invalid value: soon: time: invalid duration",
        ),
        (
            "extenders: [{urlPrefix: 'https://x', tlsConfig: {certFile: a}}]",
            "extenders[0].tlsConfig.keyFile: certFile and keyFile belong together",
        ),
        (
            "extenders: [{urlPrefix: 'https://x', tlsConfig: {insecure: true, caFile: a}}]",
            "extenders[0].tlsConfig.insecure: specifying a root certificates file",
        ),
        (
            "extenders: [{urlPrefix: 'https://x', tlsConfig: {caData: '?'}}]",
            "extenders[0].tlsConfig.caData: Invalid value: not base64",
        ),
        ("profiles: [{schedulerName: ''}]", "profiles[0].schedulerName: a name is required"),
        ("profiles: [{}, {}]", "profiles[1].schedulerName: Duplicate value: default-scheduler"),
        ("profiles: [{plugin: {}}]", "profiles[0]: Object contains unknown field `plugin`"),
        (
            "profiles: [{plugins: {filter: {enabled: [{name: Mine}]}}}]",
            "profiles[0].plugins.filter.enabled[0].name: Mine is not built in Kubarium",
        ),
        (
            "profiles: [{plugins: {permit: {enabled: [{name: NodeName}]}}}]",
            "profiles[0].plugins.permit.enabled[0].name: NodeName has nothing to do at this point",
        ),
        (
            "profiles: [{plugins: {bind: {disabled: [{name: '*'}]}}}]",
            "profiles[0].plugins.bind: DefaultBinder has to be enabled",
        ),
        (
            "profiles: [{plugins: {multiPoint: {disabled: [{name: '*'}]}}}]",
            "profiles[0].plugins.queueSort: PrioritySort has to be enabled",
        ),
        (
            "profiles: [{plugins: {preFilter: {disabled: [{name: NodePorts}]}}}]",
            "profiles[0].plugins.preFilter.disabled[0].name: NodePorts is still at filter or score",
        ),
        (
            "profiles: [{pluginConfig: [{name: NodeName, args: {}}]}]",
            "profiles[0].pluginConfig[0].args: NodeName takes no arguments here",
        ),
        (
            "profiles: [{pluginConfig: [{name: NodeAffinity, args: {kind: NodePortsArgs}}]}]",
            "profiles[0].pluginConfig[0].args.kind: Invalid value: NodePortsArgs",
        ),
        (
            "profiles: [{pluginConfig: [{name: NodeAffinity}, {name: NodeAffinity}]}]",
            "profiles[0].pluginConfig[1].name: Duplicate value: NodeAffinity",
        ),
        (
            "profiles: [{pluginConfig: [{name: InterPodAffinity, args: {hardPodAffinityWeight: 101}}]}]",
            "profiles[0].pluginConfig[0].args.hardPodAffinityWeight: Invalid value: 101: not in valid range [0-100]",
        ),
        (
            "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: Most}}}]}]",
            "profiles[0].pluginConfig[0].args.scoringStrategy.type: Invalid enum value 'Most'",
        ),
        (
            "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: RequestedToCapacityRatio}}}]}]",
            "args.scoringStrategy.requestedToCapacityRatio.shape: Invalid value: []: at least one point",
        ),
        (
            "profiles: [{pluginConfig: [{name: NodeResourcesBalancedAllocation, args: {resources: [{name: cpu, weight: 101}]}}]}]",
            "profiles[0].pluginConfig[0].args.resources[0].weight: Invalid value: 101: not in valid range [1, 100]",
        ),
        (
            "profiles: [{pluginConfig: [{name: DynamicResources, args: {filterTimeout: -1s}}]}]",
            "profiles[0].pluginConfig[0].args.filterTimeout: Invalid value: -1s: must be greater than or equal to zero",
        ),
        (
            "profiles: [{pluginConfig: [{name: VolumeBinding, args: {shape: [{utilization: 0, score: 0}]}}]}]",
            "StorageCapacityScoring is alpha in v1.36, off by default, and not built in Kubarium",
        ),
        (
            "profiles: [{pluginConfig: [{name: VolumeBinding, args: {bindTimeoutSeconds: -1}}]}]",
            "args.bindTimeoutSeconds: Invalid value: -1",
        ),
        (
            "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultingType: List, defaultConstraints: [{maxSkew: 0, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]}}]}]",
            "args.defaultConstraints[0].maxSkew: Invalid value: 0",
        ),
        (
            "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]}}]}]",
            "args.defaultConstraints: Invalid value: : when .defaultingType is System",
        ),
    ],
)
def test_an_error_names_the_field(text, problem):
    """With the place in the file, and what would be right."""
    with pytest.raises(BadConfiguration) as caught:
        read(text)
    assert problem in str(caught.value)


def test_added_affinity_is_asked_of_every_pod():
    """In addition to the pod's own, with words of its own; its preferences count with the pod's."""
    found = args(
        "NodeAffinity",
        "{addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms:"
        " [{matchExpressions: [{key: pool, operator: In, values: [blue]}]}]}, preferredDuringSchedulingIgnoredDuringExecution:"
        " [{weight: 5, preference: {matchExpressions: [{key: disk, operator: Exists}]}}]}}",
    )
    blue = {"pool": "blue"}
    world = world_of(found, node("a"), node("b", labels=blue), node("c", labels=blue | {"disk": "ssd"}))
    assert world.scores(pod()).keys() == {"b", "c"}
    assert world.place(pod()) == ["c"]
    message = world.message(pod(nodeSelector={"pool": "red"}))
    assert "1 node(s) didn't match scheduler-enforced node affinity" in message
    assert "2 node(s) didn't match Pod's node affinity/selector" in message


def test_listed_constraints_are_for_pods_without_their_own():
    """Hard ones too, which the system's defaults never are."""
    found = args(
        "PodTopologySpread",
        "{defaultingType: List, defaultConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]}",
    )
    owner = replica_set("web", labels={"app": "web"})
    world = world_of(found, node("a", labels={"zone": "a"}), node("b", labels={"zone": "b"}))
    world.owners.set_replica_set(owner)
    replica = changed(pod(labels={"app": "web"}), metadata__ownerReferences=[owner_reference(owner)])
    world.run(changed(replica, metadata__uid="one", spec__nodeName="a"))
    assert world.scores(replica).keys() == {"b"}
    assert world.scores(pod(labels={"app": "web"})).keys() == {"a", "b"}


def test_the_weight_of_hard_affinity_and_the_preferences_of_others_can_be_set():
    """With 0, and ignored, running pods attract nobody."""
    term = PodAffinityTerm(topologyKey="zone", labelSelector=LabelSelector(matchLabels={"app": "web"}))
    likes = Affinity(
        podAffinity=PodAffinity(requiredDuringSchedulingIgnoredDuringExecution=[term]),
        podAntiAffinity=PodAntiAffinity(
            preferredDuringSchedulingIgnoredDuringExecution=[
                WeightedPodAffinityTerm(weight=1, podAffinityTerm=term)
            ]
        ),
    )
    scores = {}
    for text in (
        "{hardPodAffinityWeight: 2}",
        "{hardPodAffinityWeight: 0}",
        "{hardPodAffinityWeight: 0, ignorePreferredTermsOfExistingPods: true}",
    ):
        world = world_of(
            args("InterPodAffinity", text), node("a", labels={"zone": "a"}), node("b", labels={"zone": "b"})
        )
        world.run(pod("there", node="a", affinity=likes))
        found = world.scores(pod(labels={"app": "web"}))
        empty = world.scores(pod(labels={"app": "other"}))
        scores[text] = [found[name] - empty[name] for name in "ab"]
    assert list(scores.values()) == [[200, 0], [0, 200], [0, 0]]


def test_ignored_resources_are_not_looked_for():
    """By name, or by the group before the slash."""
    asked = pod(requests={"example.com/gpu": "1", "other.com/card": "1"})
    found = args(
        "NodeResourcesFit", "{ignoredResources: [other.com/card], ignoredResourceGroups: [example.com]}"
    )
    assert world_of(found, node()).place(asked) == ["node-1"]
    assert "Insufficient" in world_of(
        args("NodeResourcesFit", "{ignoredResources: [other.com/card]}"), node()
    ).message(asked)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("{type: LeastAllocated}", 62),  # cpu 50 free of 100, memory 75
        ("{type: MostAllocated}", 37),
        ("{type: MostAllocated, resources: [{name: cpu, weight: 3}, {name: memory, weight: 1}]}", 43),
        ("{type: LeastAllocated, resources: [{name: example.com/gpu}, {name: cpu}]}", 50),
        (
            (
                "{type: RequestedToCapacityRatio, resources: [{name: cpu, weight: 1}],"
                " requestedToCapacityRatio: {shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}]}}"
            ),
            50,
        ),
        (
            (
                "{type: RequestedToCapacityRatio, resources: [{name: cpu, weight: 1}, {name: memory, weight: 3}],"
                " requestedToCapacityRatio: {shape: [{utilization: 0, score: 10}, {utilization: 100, score: 0}]}}"
            ),
            69,  # (50 + 3 x 75) / 4 = 68.75
        ),
    ],
)
def test_strategies_score_by_what_is_requested(strategy, expected):
    """With weights; what the pod does not ask for of extended resources does not count."""
    found = profile(
        "plugins: {score: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit}]}}\n"
        f"pluginConfig:\n- name: NodeResourcesFit\n  args: {{scoringStrategy: {strategy}}}"
    )
    world = world_of(found, node(cpu="4", memory="4Gi"))
    assert world.scores(pod(requests={"cpu": "2", "memory": "1Gi"})) == {"node-1": expected}


def test_a_shape_is_a_broken_line():
    """Flat before its first and after its last point; between two, divided as integers are."""
    shape = ((10, 0), (50, 100), (90, 30))
    assert [on_line(shape, used) for used in (0, 10, 11, 50, 51, 90, 100)] == [0, 0, 2, 100, 99, 30, 30]


@pytest.mark.parametrize(
    ("resources", "requests", "expected"),
    [
        ("[{name: cpu}, {name: memory}]", {"cpu": "2", "memory": "1Gi"}, 87),  # shares of 50 and 25
        ("[{name: cpu}, {name: memory}, {name: a.b/c}]", {"cpu": "2", "memory": "1Gi", "a.b/c": "4"}, 68),
        ("[{name: cpu}, {name: memory}, {name: a.b/c}]", {"cpu": "2", "memory": "1Gi"}, 87),
        ("[{name: cpu}]", {"cpu": "2"}, 100),
        ("[{name: a.b/c}]", {"cpu": "2"}, 0),  # it requests nothing of that: the plugin says nothing
    ],
)
def test_balance_is_looked_for_in_the_resources_that_are_named(resources, requests, expected):
    """By the standard deviation of the shares that are used."""
    found = profile(
        "plugins: {score: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesBalancedAllocation}]}}\n"
        f"pluginConfig:\n- name: NodeResourcesBalancedAllocation\n  args: {{resources: {resources}}}"
    )
    cards = changed(
        node(cpu="4", memory="4Gi"),
        status__allocatable={"cpu": "4", "memory": "4Gi", "pods": "9", "a.b/c": "4"},
    )
    assert world_of(found, cards).scores(pod(requests=requests)) == {"node-1": expected}


def test_a_time_limit_of_the_search_for_devices_counts_as_tries():
    """Since what decides reads no clock; and says so."""
    found = read("profiles: [{pluginConfig: [{name: DynamicResources, args: {filterTimeout: 5ms}}]}]")
    [plugin] = [each for each in found.profiles[0].plugins if each.name == "DynamicResources"]
    assert plugin._most_steps == 1000
    assert found.remarks == (
        "filterTimeout of DynamicResources counts as devices that are tried, 200 in a millisecond, 10,000 at most",
    )
