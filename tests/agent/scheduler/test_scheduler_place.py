"""How filters and strategies make a decision, and what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from skep import (
    ClusterState,
    ConflictError,
    Container,
    Node,
    NodeState,
    NodeStatus,
    PlacementError,
    PlacementQuery,
    PlacementRequest,
    RequestError,
    Scores,
    Verdict,
)
from skep.scheduler import Rule, Scheduler, engine_body

KINDS = {"constraint": "com.docker.swarm.constraints"}


def made(number: int = 3, status: NodeStatus = NodeStatus.HEALTHY) -> ClusterState:
    state = ClusterState()
    for n in range(1, number + 1):
        state.put_node(Node(f"n{n}", f"tcp://n{n}:1", status=status, cpus=4, memory=2**30))
    return state


def wanted(name: str = "", **body: Any) -> PlacementRequest:
    return PlacementRequest.from_create(json.dumps(body).encode(), name, kinds=KINDS)


def keeps(*names: str, plugin: str = "only", reason: str = "not on the list") -> Rule:
    def call(query: PlacementQuery) -> Verdict:
        return Verdict(
            query.nodes.where(lambda node: node.name in names), lambda _: reason, lambda: ["one of the list"]
        )

    return Rule(plugin, call)


def scores(plugin: str = "likes", weight: float = 1.0, **points: float) -> Rule:
    def call(query: PlacementQuery) -> Scores:
        found = [(points[n.name], query.state.node_set([n])) for n in query.nodes if n.name in points]
        return Scores(sorted(found, key=lambda pair: -pair[0]), lambda _: "it does not like it", lambda: ["its liking"])

    return Rule(plugin, call, weight)


def chosen(scheduler: Scheduler, request: PlacementRequest | None = None) -> str:
    node = scheduler.place(request or wanted()).node
    assert node is not None
    return node.name


def test_each_filter_narrows_what_the_next_is_asked() -> None:
    asked: list[list[str]] = []

    def watch(query: PlacementQuery) -> None:
        asked.append([node.name for node in query.nodes])

    rules = [Rule("a", watch), keeps("n2", "n3"), Rule("b", watch), keeps("n1", "n3"), Rule("c", watch)]
    assert chosen(Scheduler(made(), rules)) == "n3"
    assert asked == [["n1", "n2", "n3"], ["n2", "n3"], ["n3"]]


def test_without_strategies_the_first_node_by_name_is_taken() -> None:
    assert chosen(Scheduler(made())) == "n1"


@pytest.mark.parametrize(
    ("rules", "node"),
    [
        ([scores(n1=1, n2=2, n3=2)], "n2"),
        ([scores(n3=0)], "n3"),
        ([scores(n1=1, n2=2), scores(n1=5, n2=3)], "n1"),
        ([scores(n1=1, n2=2), scores(n1=5, n2=3, weight=0.25)], "n2"),
        ([scores(n1=1, n2=2), scores(n1=5, n2=3, weight=0)], "n2"),
        ([scores(n1=1, n2=2, weight=-1)], "n1"),
        ([scores(n1=9, n2=1), scores(n2=1, n3=9)], "n2"),  # n1 and n3 are refused by one each
        ([scores(n1=1, n2=1), scores(n1=1, n2=1)], "n1"),
        ([Rule("none", lambda _: None), scores(n2=1)], "n2"),
    ],
)
def test_the_highest_weighted_sum_wins_and_of_equals_the_first(rules: list[Rule], node: str) -> None:
    assert chosen(Scheduler(made(), [], rules)) == node


def test_a_verdict_cannot_bring_a_refused_node_back() -> None:
    state = made()
    rules = [keeps("n2"), Rule("all", lambda query: Verdict(state.all_nodes(), lambda _: ""))]
    assert chosen(Scheduler(state, rules, [scores(n1=9, n2=1, n3=9)])) == "n2"


def raising(error: Exception) -> Callable[[PlacementQuery], Any]:
    def call(query: PlacementQuery) -> Any:
        raise error

    return call


def test_a_filter_that_fails_refuses_the_request_and_is_named() -> None:
    scheduler = Scheduler(made(), [Rule("broken", raising(KeyError("oops")))])
    with pytest.raises(RequestError, match=r"plugin broken: its filter failed.*KeyError: 'oops'") as caught:
        scheduler.place(wanted())
    assert caught.value.status == 500


def test_a_filter_that_answers_nonsense_refuses_the_request_and_is_named() -> None:
    call: Any = lambda _: True  # noqa: E731
    with pytest.raises(RequestError, match="plugin broken: its filter answered bool instead of Verdict"):
        Scheduler(made(), [Rule("broken", call)]).place(wanted())


def test_a_filter_may_refuse_the_request_itself() -> None:
    with pytest.raises(RequestError, match="forbidden") as caught:
        Scheduler(made(), [Rule("policy", raising(RequestError("forbidden", status=403)))]).place(wanted())
    assert caught.value.status == 403


def test_a_strategy_that_fails_is_passed_over() -> None:
    nonsense: Any = lambda _: 7  # noqa: E731
    rules = [Rule("broken", raising(ZeroDivisionError())), Rule("odd", nonsense), scores(n2=1)]
    assert chosen(Scheduler(made(), [], rules)) == "n2"


def test_a_reason_that_fails_does_not_hide_the_answer() -> None:
    def call(query: PlacementQuery) -> Verdict:
        reasons: dict[str, str] = {}
        return Verdict(query.state.node_set(()), lambda node: reasons[node.name])

    with pytest.raises(PlacementError, match="n1: broken: it could not say why \\(KeyError\\)"):
        Scheduler(made(), [Rule("broken", call)]).place(wanted())


# -- wishes


def soft_only(query: PlacementQuery) -> Verdict:
    names = [each.value for each in query.expressions("constraint")]
    return query.keep(lambda node: all(node.name == name for name in names), "not wished")


def test_wishes_hold_where_they_can_and_are_given_up_where_they_cannot() -> None:
    scheduler = Scheduler(made(), [Rule("constraint", soft_only)])
    kept = scheduler.place(wanted(Env=["constraint:node==~n2"]))
    assert (kept.node is not None and kept.node.name, kept.relaxed, kept.given_up) == ("n2", False, ())
    lost = scheduler.place(wanted(Env=["constraint:node==~n9", "constraint:node==n3"]))
    assert (lost.node is not None and lost.node.name, lost.relaxed, lost.given_up) == ("n3", True, ("node==~n9",))


def test_a_strategy_without_room_gives_the_wishes_up_too() -> None:
    scheduler = Scheduler(made(), [Rule("constraint", soft_only)], [scores(n1=1)])
    placement = scheduler.place(wanted(Env=["constraint:node==~n2"]))
    assert (placement.node is not None and placement.node.name, placement.relaxed) == ("n1", True)


def test_without_wishes_there_is_no_second_pass() -> None:
    passes: list[bool] = []

    def call(query: PlacementQuery) -> Verdict:
        passes.append(query.relaxed)
        return Verdict(query.state.node_set(()), lambda _: "no")

    scheduler = Scheduler(made(), [Rule("no", call)])
    for env, expected in (([], [False]), (["constraint:node==~n1"], [False, True])):
        passes.clear()
        with pytest.raises(PlacementError):
            scheduler.place(wanted(Env=env))
        assert passes == expected


# -- what it says


def test_a_placement_explains_every_node() -> None:
    scheduler = Scheduler(made(4), [keeps("n1", "n2", "n4")], [scores(n1=1, n2=2.5, weight=2)])
    rows = scheduler.place(wanted()).explain()
    plain = json.loads(msgspec.json.encode(rows))
    told = [{key: row[key] for key in ("node", "chosen", "refused_by", "reason", "score")} for row in plain]
    assert told == [
        {"node": "n1", "chosen": False, "refused_by": "", "reason": "", "score": 2.0},
        {"node": "n2", "chosen": True, "refused_by": "", "reason": "", "score": 5.0},
        {"node": "n3", "chosen": False, "refused_by": "only", "reason": "not on the list", "score": None},
        {"node": "n4", "chosen": False, "refused_by": "likes", "reason": "it does not like it", "score": None},
    ]
    assert plain[1]["filters"] == [{"plugin": "only", "verdict": "passed", "reason": ""}]
    assert plain[1]["scores"] == [{"strategy": "likes", "score": 2.5, "points": 100.0, "weight": 2}]
    assert plain[2]["filters"] == [{"plugin": "only", "verdict": "refused", "reason": "not on the list"}]
    assert plain[2]["scores"] == []


@pytest.mark.parametrize(("wide", "verdicts"), [(False, ["refused", "not asked"]), (True, ["refused", "refused"])])
def test_all_that_is_against_a_node_is_told_where_it_is_asked_for(wide: bool, verdicts: list[str]) -> None:
    rules = [keeps("n2", "n3", plugin="first"), keeps("n3", plugin="second", reason="neither")]
    one, two, three = Scheduler(made(), rules).place(wanted(), wide=wide).explain()
    assert [each.verdict for each in one.filters] == verdicts
    assert (one.refused_by, one.reason) == ("first", "not on the list")
    assert [each.verdict for each in two.filters] == ["passed", "refused"]
    assert [each.verdict for each in three.filters] == ["passed", "passed"]


def test_the_reasons_are_made_only_when_they_are_read() -> None:
    def never(_: NodeState) -> str:
        raise AssertionError("nobody reads this")

    rules = [Rule("lazy", lambda query: Verdict(query.nodes.where(lambda node: node.name == "n1"), never))]
    assert chosen(Scheduler(made(), rules)) == "n1"


def failed(scheduler: Scheduler, request: PlacementRequest | None = None) -> list[str]:
    with pytest.raises(PlacementError) as caught:
        scheduler.place(request or wanted())
    assert caught.value.status == 500
    return str(caught.value).splitlines()


def test_an_error_says_what_could_not_be_had_and_why_node_by_node() -> None:
    assert failed(Scheduler(made(2), [keeps("n2", plugin="first"), keeps("n1", plugin="second")])) == [
        "Unable to find a node that satisfies the following conditions: one of the list; one of the list",
        "  n1: first: not on the list",
        "  n2: second: not on the list",
    ]


def test_an_error_of_a_strategy_says_that_there_is_no_room() -> None:
    assert failed(Scheduler(made(2), [keeps("n1")], [scores()])) == [
        "no resources available to schedule container: its liking",
        "  n1: likes: it does not like it",
        "  n2: only: not on the list",
    ]


def test_a_reason_that_begins_with_its_plugins_name_is_not_told_it_twice() -> None:
    lines = failed(Scheduler(made(1), [keeps(plugin="port", reason="port 80/tcp: taken\nby   web")]))
    assert lines[1] == "  n1: port 80/tcp: taken by web"


def test_many_nodes_are_counted_by_their_reasons() -> None:
    def call(query: PlacementQuery) -> Verdict:
        return Verdict(query.state.node_set(()), lambda node: f"kind {int(node.name[1:]) % 7}")

    lines = failed(Scheduler(made(100), [Rule("mod", call)]))
    assert lines[1:3] == ["  n1: mod: kind 1", "  n2: mod: kind 2"]
    assert lines[20:22] == ["  n20: mod: kind 6", "  … and 80 more nodes:"]
    assert lines[22:] == [
        *(f"  12 × mod: kind {kind}" for kind in (0, 1, 2)),
        *(f"  11 × mod: kind {kind}" for kind in (3, 4)),
        "  22 × other reasons",
    ]


def test_of_thousands_of_nodes_few_are_asked_why_and_the_rest_are_counted_by_who_refused_them() -> None:
    asked: list[str] = []

    def call(query: PlacementQuery) -> Verdict:
        def reason(node: NodeState) -> str:
            asked.append(node.name)
            return "no"

        return Verdict(query.nodes.where(lambda node: int(node.name[1:]) % 10 == 0), reason)

    scheduler = Scheduler(made(1000), [Rule("first", call), keeps(plugin="second")])
    with pytest.raises(PlacementError) as caught:
        scheduler.place(wanted())
    assert str(caught.value).splitlines()[21:] == [
        "  … and 980 more nodes:",
        "  162 × first: no",
        "  18 × second: not on the list",
        "  720 × first",
        "  80 × second",
    ]
    assert len(asked) == 180
    assert [each.reason for each in caught.value.explanation] == [
        "not on the list" if number % 10 == 0 else "no" for number in range(1, 1001)
    ]


def test_without_nodes_or_healthy_ones_the_error_says_just_that() -> None:
    assert failed(Scheduler(made(0))) == ["No nodes available in the cluster"]
    lines = failed(Scheduler(made(1, NodeStatus.UNHEALTHY), [keeps()]))
    assert lines == ["No healthy node available in the cluster", "  n1: only: not on the list"]


# -- names and reservations


def test_a_name_is_unique_with_those_under_way() -> None:
    state = made()
    scheduler = Scheduler(state)
    state.put_container(Container("a" * 64, "web", "n1"))
    text = (
        "Conflict: The name web is already assigned. You have to delete (or rename) that container to be able to assign web to a container "
        "again. It is on node n1 (aaaaaaaaaaaa)."
    )
    with pytest.raises(ConflictError) as caught:
        scheduler.place(wanted("web"))
    assert (str(caught.value), caught.value.status) == (text, 409)
    with scheduler.reserve(wanted("app")), pytest.raises(ConflictError, match=r"on node n1 \(being created\)"):
        scheduler.place(wanted("/app"))
    scheduler.place(wanted("app"))
    for _ in range(2):  # no name is no clash
        state.put_container(Container("b" * 64, "", "n1"))
        scheduler.place(wanted())


def test_a_reservation_counts_until_it_ends_however_that_is() -> None:
    state = made(1)
    scheduler = Scheduler(state)
    request = wanted("web", HostConfig={"Memory": 5, "CpuShares": 3})

    def fail() -> None:
        with scheduler.reserve(request):
            assert (state.nodes[0].memory_used, state.nodes[0].cpus_used) == (5, 3)
            assert next(iter(state.containers())).cpu_shares == 768
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (state.nodes[0].memory_used, state.nodes[0].cpus_used, list(state.containers())) == (0, 0, [])


@pytest.mark.parametrize(("asked", "sent"), [(3, 768), (255, 65280), (256, 256), (512, 512), (1024, 1024)])
def test_shares_are_cpus_until_they_can_only_be_dockers_weight(asked: int, sent: int) -> None:
    state = made(1)
    request = wanted("web", HostConfig={"CpuShares": asked})
    assert engine_body(request, state, state.nodes[0])["HostConfig"]["CpuShares"] == sent
    with Scheduler(state).reserve(request):
        assert next(iter(state.containers())).cpu_shares == sent


def test_two_reservations_with_one_swarm_id_both_count() -> None:
    state = made(1)
    scheduler = Scheduler(state)
    request = wanted(Labels={"com.docker.swarm.id": "ab" * 32}, HostConfig={"Memory": 5})
    with scheduler.reserve(request), scheduler.reserve(request):
        assert state.nodes[0].memory_used == 10
    assert state.nodes[0].memory_used == 0


def test_to_place_changes_nothing() -> None:
    state = made()
    version = state.version
    Scheduler(state, [keeps("n1")], [scores(n1=1)]).place(wanted("web"))
    assert state.version == version
    assert list(state.containers()) == []
