import pytest

from machinery.model.causes import CauseRef
from machinery.model.errors import Conflict, Expired, InternalError, Invalid, NotFound
from machinery.model.fault_plan import NO_PLAN, Fault, PlanError, decide, is_cut, parse_plan
from machinery.model.k8s.core_v1 import Pod
from machinery.model.seam import Ends
from machinery.wire import objects
from machinery.wire.cause_headers import header, parse_header
from machinery.wire.status import to_rpc


def test_causes_survive_their_header():
    """Names with odd characters, too."""
    causes = (CauseRef("pods", "default", "web,1@x", "u+1", 7), CauseRef("nodes", "", "n:1", "u", 9))
    assert parse_header(header(causes)) == causes


@pytest.mark.parametrize(
    "text", ["", "nonsense", "a/b@1+u", "a/b/c@x+u", "a/b/c@99999999999999999999+u", "@@@,,,"]
)
def test_a_bad_header_is_no_cause_and_no_error(text):
    """A bad header never fails a request."""
    assert parse_header(text) == ()


def test_only_the_newest_causes_are_sent():
    """A reconcile that waited long acted on the newest ones."""
    causes = tuple(CauseRef("pods", "a", "b", "u", revision) for revision in range(1, 41))
    assert [cause.revision for cause in parse_header(header(causes))] == list(range(25, 41))


def test_null_means_absent():
    """As in Kubernetes' own JSON."""
    pod = objects.decode(
        b'{"metadata":{"name":"a","labels":null},"spec":{"containers":[],"nodeName":null},"status":{"phase":null}}',
        Pod,
    )
    assert pod.metadata.name == "a"
    assert pod.metadata.labels == {}
    assert pod.status.phase == ""


def test_what_does_not_fit_is_the_servers_fault():
    """No DecodeError leaks out."""
    with pytest.raises(InternalError):
        objects.decode(b'{"metadata":7}', Pod)


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotFound("x"), "NOT_FOUND"), (Conflict("x"), "ABORTED"), (Expired("x"), "OUT_OF_RANGE")],
)
def test_errors_have_their_grpc_code(error, code):
    """And the whole Status in the trailers."""
    found, text, metadata = to_rpc(error)
    assert (found.name, text) == (code, "x")
    assert metadata[0][0] == "kubarium-status-bin"


def test_a_long_status_is_shortened_until_it_fits():
    """Trailers have a limit; the first causes and the text's beginning are kept."""
    from machinery.model.errors import Cause

    many = tuple(Cause(f"spec.x[{index}]", "y" * 2000) for index in range(500))
    _, _, metadata = to_rpc(Invalid("z" * 50_000, causes=many))
    assert len(metadata[0][1]) < 128 * 1024


PLAN = b'{"seed": 3, "rules": [{"fault": "drop", "from": "kubelet-*", "method": "Watch", "skip": 1, "count": 2}]}'


def test_a_rule_applies_after_its_skips_as_often_as_it_says():
    """The same plan and calls always give the same faults."""
    plan, tallies = parse_plan(PLAN), {}
    ends = Ends("kubelet-1", "apiserver", "resources")
    hits = []
    for _ in range(5):
        rule, tallies = decide(plan, tallies, ends, "Watch")
        hits.append(rule is not None)
    assert hits == [False, True, True, False, False]


def test_a_rule_is_about_its_pair_its_method_and_its_side():
    """Others pass."""
    plan = parse_plan(PLAN.replace(b', "skip": 1', b""))
    others = [
        (Ends("scheduler", "apiserver", "resources"), "Watch"),
        (Ends("kubelet-1", "apiserver", "resources"), "Get"),
        (Ends("kubelet-1", "apiserver", "resources", "server"), "Watch"),
    ]
    assert [decide(plan, {}, *other)[0] for other in others] == [None, None, None]
    assert decide(plan, {}, Ends("kubelet-1", "apiserver", "resources"), "Watch")[0] is not None


def test_a_rule_about_a_method_is_about_that_for_several_objects_too():
    """And not the other way round: who names CreateEach means that."""
    ends = Ends("controllers", "apiserver", "resources")
    for named, asked, applies in (
        ("Create", "CreateEach", True),
        ("Patch", "PatchEach", True),
        ("CreateEach", "Create", False),
        ("Create", "UpdateEach", False),
    ):
        plan = parse_plan(b'{"rules": [{"fault": "drop", "method": "%b"}]}' % named.encode())
        assert (decide(plan, {}, ends, asked)[0] is not None) == applies


def test_a_probability_is_drawn_from_the_seed():
    """About its share of calls, and the same ones every time."""
    plan = parse_plan(b'{"seed": 1, "rules": [{"fault": "delay", "delay_s": 1, "probability": 0.3}]}')

    def run() -> list[bool]:
        tallies, hits = {}, []
        for _ in range(1000):
            rule, tallies = decide(plan, tallies, Ends("a", "b", "rest"), "Get")
            hits.append(rule is not None)
        return hits

    assert run() == run()
    assert 240 < sum(run()) < 360


def test_a_cut_lasts_as_long_as_its_rule():
    """Streams ask again and again."""
    plan = parse_plan(b'{"rules": [{"fault": "cut", "to": "apiserver"}]}')
    assert is_cut(plan, Ends("a", "apiserver", "rest"), "Watch")
    assert not is_cut(NO_PLAN, Ends("a", "apiserver", "rest"), "Watch")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"{", "not JSON"),
        (b"[]", "object"),
        (b'{"rules": [{"fault": "explode"}]}', r"rules\[0\]\.fault"),
        (b'{"rules": [{"fault": "stale"}]}', "not built"),
        (b'{"rules": [{"fault": "drop", "probability": 2}]}', r"rules\[0\]\.probability"),
        (b'{"rules": [{"fault": "delay"}]}', "delay_s"),
        (b'{"rules": [{"fault": "drop", "whom": "x"}]}', "whom"),
        (b'{"rules": [{"fault": "drop", "count": true}]}', "count"),
    ],
)
def test_a_bad_plan_is_refused_with_the_field(text, field):
    """Nothing of it is followed."""
    with pytest.raises(PlanError, match=field):
        parse_plan(text)


def test_every_fault_has_a_name_in_plans():
    """The names are the documented ones."""
    assert {fault.value for fault in Fault} == {"drop", "drop_reply", "delay", "duplicate", "cut", "expired"}
