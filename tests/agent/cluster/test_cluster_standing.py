"""Standing indexes say after any changes what a look at everything would say."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from skep import ClusterState, Container, Node, NodeState

NODES = [f"n{number}" for number in range(1, 6)]
LABELS = ["db", "web", ""]
SWARM_ID = "com.docker.swarm.id"


def tier(container: Container) -> str:
    return container.labels.get("tier", "")


def keys(container: Container) -> Iterator[object]:
    yield tier(container)
    yield from container.name + container.id  # their letters, some of them twice


def rank(node: NodeState) -> tuple[int, int] | None:
    return None if node.node.failures else (node.memory_used, len(node.containers))


def put_node(state: ClusterState, name: str, failures: int) -> None:
    state.put_node(Node(name, f"tcp://{name}:1", cpus=4, memory=1000, failures=failures))


def change(state: ClusterState, what: str, node: str, number: int) -> None:
    known = state.get_node(node)
    if what == "node":
        put_node(state, node, number % 2)
    elif known is None:
        return
    elif what == "leave":
        state.remove_node(node)
    elif what == "reserve":
        state.reserve(Container("", f"p{number}", ""), node, f"placement:{number}")
    elif what == "release":
        state.release(node, f"placement:{number}")
    elif what == "remove":
        state.remove_container(node, f"id{number}")
    else:
        # with an id from Swarm, the container ends the reservation that it was made under
        labels = {"tier": LABELS[number % 3], **({SWARM_ID: str(number)} if number % 2 else {})}
        state.put_container(Container(f"id{number}", f"c{number}", node, labels=labels, memory=number))


def check(state: ClusterState) -> None:
    nodes = state.nodes
    find = state.container_index("test", keys)
    counts = state.container_counts("test", keys)
    for key in [*LABELS, "c", "p", "3", "absent"]:
        held = {n.name: [each for c in n.containers.values() for each in keys(c)].count(key) for n in nodes}
        expected = {name: number for name, number in held.items() if number}
        assert [n.name for n in find(key)] == list(expected)
        assert {n.name: number for n, number in counts(key).items()} == expected
    with_db = state.with_container(lambda each: tier(each) == "db", key="db")
    assert with_db == state.with_container(lambda each: tier(each) == "db")
    ranked = [(each, [n.name for n in found]) for each, found in state.rank_nodes("room", rank)]
    ranks = sorted({found for n in nodes if (found := rank(n)) is not None})
    assert ranked == [(each, [n.name for n in nodes if rank(n) == each]) for each in ranks]


CHANGES = st.tuples(
    st.sampled_from(["node", "put", "put", "put", "remove", "reserve", "release", "leave", "check"]),
    st.sampled_from(NODES),
    st.integers(0, 5),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CHANGES, max_size=60))
def test_an_index_agrees_with_a_look_at_everything(changes: list[tuple[str, str, int]]) -> None:
    state = ClusterState()
    for name in NODES[:3]:
        put_node(state, name, 0)
    for what, node, number in changes:
        if what == "check":
            check(state)
        else:
            change(state, what, node, number)
    check(state)


def test_an_index_that_missed_too_much_is_made_anew() -> None:
    state = ClusterState()
    put_node(state, "n1", 0)
    check(state)
    for number in range(10_000):
        state.put_container(Container(f"id{number % 50}", f"c{number}", "n1", labels={"tier": "db"}))
    check(state)


def test_an_index_of_keys_is_never_made_anew_while_it_is_asked_now_and_then() -> None:
    state = ClusterState()
    put_node(state, "n1", 0)
    state.put_container(Container("first", "one", "n1"))
    read: list[str] = []

    def keys_of(container: Container) -> list[str]:
        read.append(container.id)
        return [container.name]

    assert len(state.container_index("mine", keys_of)("one")) == 1
    for number in range(10_000):
        state.put_container(Container(f"id{number % 50}", f"c{number}", "n1"))
    find = state.container_index("mine", keys_of)
    assert [len(find(name)) for name in ("one", "c9999", "c9949")] == [1, 1, 0]
    assert read.count("first") == 1


def test_an_index_whose_plugin_fails_harms_no_change() -> None:
    state = ClusterState()
    put_node(state, "n1", 0)

    def keys_of(container: Container) -> list[str]:
        if container.name == "c3000":
            raise ValueError("a bug")
        return [container.name]

    state.container_index("mine", keys_of)
    for number in range(6_000):
        state.put_container(Container(f"id{number}", f"c{number}", "n1"))
    assert len(state.nodes[0].containers) == 6_000


def test_with_a_key_a_container_is_tested_once() -> None:
    state = ClusterState()
    put_node(state, "n1", 0)
    state.put_container(Container("a", "one", "n1"))
    tested: list[str] = []

    def test(container: Container) -> bool:
        tested.append(container.id)
        return True

    for _ in range(3):
        assert len(state.with_container(test, key="mine")) == 1
    assert tested == ["a"]
    state.put_container(Container("b", "two", "n1"))
    state.with_container(test, key="mine")
    assert tested == ["a"]  # the node has one that passes: another one changes nothing
    put_node(state, "n2", 0)
    state.put_container(Container("c", "three", "n2"))
    assert len(state.with_container(test, key="mine")) == 2
    assert tested == ["a", "c"]


def test_only_so_many_indexes_are_kept() -> None:
    state = ClusterState()
    put_node(state, "n1", 0)
    state.put_container(Container("a", "one", "n1"))
    tested: list[int] = []

    def ask(number: int) -> None:
        def test(_: Container) -> bool:
            tested.append(number)
            return True

        state.with_container(test, key=number)

    for number in [*range(100), 99, 0]:
        ask(number)
    assert tested == [*range(100), 0]


def test_a_container_ends_its_reservation() -> None:
    state = ClusterState()
    put_node(state, "n1", 0)
    labels = {"com.docker.swarm.id": "ab"}
    state.reserve(Container("", "web", "", labels=labels, memory=7), "n1", "placement:ab")
    state.put_container(Container("a" * 64, "web", "n1", labels=labels, memory=7))
    assert [each.id for each in state.named("web")] == ["a" * 64]
    assert state.nodes[0].memory_used == 7
    state.release("n1", "placement:ab")
    assert len(state.named("web")) == 1
