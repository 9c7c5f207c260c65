"""`ClusterState`: whatever changes, its indexes and sums are those of a state made anew."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from skep.cluster import ClusterState
from skep.models import Container, ContainerState, Image, Node, NodeStatus

NODES = st.sampled_from(["node2", "node10", "node1", "a"])
IDS = st.sampled_from(["aa", "ab", "b", "c0", "c1"])
IMAGES = [Image(f"sha256:{n}", (f"image:{n}",), labels={"n": str(n)}) for n in range(3)]

node = st.builds(
    lambda name, cpus, healthy, zone: Node(
        name,
        f"tcp://{name}",
        status=NodeStatus.HEALTHY if healthy else NodeStatus.UNHEALTHY,
        labels={"zone": zone} if zone else {},
        cpus=cpus,
    ),
    *(NODES, st.integers(1, 64), st.booleans(), st.sampled_from(["", "east", "west"])),
)
container = st.builds(
    lambda id_, name, node, memory, nano, shares: Container(
        id_, name, node, memory=memory, nano_cpus=nano, cpu_shares=shares
    ),
    *(IDS, st.sampled_from(["web", "db"]), NODES, st.integers(0, 9), st.sampled_from([0, 1, 100_000_001])),
    st.sampled_from([0, 512, 2048]),
)
step = st.one_of(
    st.tuples(st.just("put_node"), node),
    st.tuples(st.just("remove_node"), NODES),
    st.tuples(st.just("put_container"), container),
    st.tuples(st.just("remove_container"), NODES, IDS),
    st.tuples(st.just("put_images"), NODES, st.lists(st.sampled_from(IMAGES), unique_by=lambda image: image.id)),
    st.tuples(st.just("reserve"), container, NODES, IDS),
)


def apply(state: ClusterState, method: str, *arguments: object) -> None:
    subject = arguments[1] if method == "reserve" else arguments[0]
    name = subject.node if isinstance(subject, Container) else subject
    if method == "put_node" or state.get_node(str(name)) is not None:
        getattr(state, method)(*arguments)


def told(state: ClusterState) -> object:
    """Everything that a state's indexes and sums say."""
    return (
        [(n.name, n.ordinal, n.memory_used, n.cpus_used, n.node) for n in state.nodes],
        {name: sorted(map(repr, state.named(name))) for name in ("web", "db")},
        {prefix: sorted(map(repr, state.with_id(prefix))) for prefix in ("", "a", "aa", "c", "c1", "d")},
        [n.name for n in state.healthy_nodes()],
        [n.name for n in state.all_nodes()],
        {zone: [n.name for n in state.with_label("zone", zone.__eq__)] for zone in ("", "east", "west")},
        {image.id: [n.name for n in state.with_image(image.__eq__)] for image in IMAGES},
        [(count, [n.name for n in nodes]) for count, nodes in state.by_container_count()],
    )


def made_anew(state: ClusterState) -> ClusterState:
    new = ClusterState()
    for each in state.nodes:
        new.put_node(each.node)
        for key, known in each.containers.items():
            new.put_container(known, key=key)
        new.put_images(each.name, each.images)
    return new


@settings(max_examples=150, deadline=None)
@given(st.lists(step, max_size=30))
def test_indexes_and_sums_follow_every_change(steps: list[tuple[str, object]]) -> None:
    state = ClusterState()
    for each in steps:
        version = state.version
        before = told(state)
        apply(state, *each)
        assert told(state) == before or state.version > version
        assert told(state) == told(made_anew(state))


def test_what_was_reserved_is_given_back_exactly() -> None:
    state = ClusterState()
    state.put_node(Node("n", "tcp://n", cpus=4))
    for number in range(100):
        state.put_container(Container(str(number), str(number), "n", nano_cpus=100_000_000, memory=1))
    state.put_node(Node("n", "tcp://n", cpus=8))
    for number in range(100):
        state.remove_container("n", str(number))
    known = state.get_node("n")
    assert known is not None
    assert (known.cpus_used, known.memory_used) == (0.0, 0)


def test_shares_count_anew_when_the_node_has_other_cpus() -> None:
    state = ClusterState()
    known = state.put_node(Node("n", "tcp://n", cpus=4))
    state.put_container(Container("1", "web", "n", cpu_shares=1024))
    assert known.cpus_used == 4
    state.put_node(replace(known.node, cpus=2))
    assert known.cpus_used == 2


def test_a_placement_under_way_counts_and_is_released() -> None:
    state = ClusterState()
    known = state.put_node(Node("n", "tcp://n"))
    state.reserve(Container("", "web", "", memory=5), "n", "key")
    assert [(c.node, c.state) for c in state.named("web")] == [("n", ContainerState.PENDING)]
    assert known.memory_used == 5
    state.release("n", "key")
    state.release("n", "key")
    state.release("gone", "key")
    assert (list(state.containers()), known.memory_used) == ([], 0)


def test_an_image_is_tested_once_for_all_nodes() -> None:
    state = ClusterState()
    for number in range(50):
        state.put_node(Node(f"n{number}", "tcp://n"))
        state.put_images(f"n{number}", IMAGES[:2])
    asked: list[str] = []

    def test(image: Image) -> bool:
        asked.append(image.id)
        return image is IMAGES[1]

    assert len(state.with_image(test)) == 50
    assert sorted(asked) == ["sha256:0", "sha256:1"]
