"""Decisions are remembered, and made once more from what was recorded: the same answer, whatever changed since."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from skep import Image, Network, NodeStatus, PlacementQuery, Plugin, PluginSettings, Port, RequestError, Scores
from skep.agent.replay import record, replay
from skep.scheduler import Decision
from skep.testing import PaperCluster

PLUGINS = ("health", "port", "slots", "dependency", "affinity", "constraint", "whitelist", "topology")
DISKS, ZONES = ("ssd", "hdd", "tape"), ("a", "b", "c")


def paper(*strategies: str, **placement: Any) -> PaperCluster:
    names = (*PLUGINS, *(strategies or ("spread",)))
    return PaperCluster(settings={"plugins": {name: {} for name in names}, "placement": placement})


def decide(cluster: PaperCluster, name: str = "", **body: Any) -> Decision:
    """A decision as a create makes it, its container put on the node at once."""
    request = cluster.agent.request(json.dumps({"Image": "busybox", **body}).encode(), name)
    with contextlib.suppress(RequestError):
        reservation, decision = cluster.agent.decisions.hold(request)
        reservation.release()
        cluster.container(name or decision.id, reservation.node.name, labels=dict(request.container.labels))
    return next(iter(cluster.agent.decisions))


def again(cluster: PaperCluster, decision: Decision) -> list[str]:
    return replay(record(cluster.agent, decision, cluster.agent.decisions.past(decision))).differences


class World:
    """A cluster that changes by chance."""

    def __init__(self, rng: random.Random, relax: str) -> None:
        self.rng = rng
        self.cluster = paper(*rng.choice([("spread",), ("binpack",), ("random",), ("spread", "binpack")]), relax=relax)
        self.number = 0
        for _ in range(rng.randint(1, 5)):
            self.node()

    def node(self) -> None:
        rng = self.rng
        labels = {"disk": rng.choice(DISKS), "zone": rng.choice(ZONES), "containerslots": rng.choice(("2", "9"))}
        status = rng.choice([NodeStatus.HEALTHY] * 4 + [NodeStatus.UNHEALTHY])
        self.cluster.node(f"n{rng.randint(1, 6)}", labels=labels, status=status, failures=rng.choice((0, 0, 2)))

    def change(self) -> None:
        rng, state = self.rng, self.cluster.state
        names = [node.name for node in state.nodes]
        what = rng.randint(0, 6)
        if what == 0 or not names:
            return self.node()
        name = rng.choice(names)
        if what == 1:
            state.remove_node(name)
        elif what == 2:
            self.cluster.images(name, *(Image(f"sha256:{k}", (f"app:{k}",)) for k in range(rng.randint(0, 3))))
        elif what == 3:
            state.put_networks(name, tuple(Network(f"id{k}", f"net{k}") for k in range(rng.randint(0, 2))))
        elif what == 4:
            for container in list(state.containers())[: rng.randint(0, 2)]:
                state.remove_container(container.node, container.id)
        else:
            self.container(name)
        return None

    def container(self, node: str) -> None:
        rng = self.rng
        self.number += 1
        ports = (Port(80, "tcp", rng.choice((80, 81))),) if rng.random() < 0.5 else ()
        labels = {"tier": rng.choice(("db", "web"))}
        self.cluster.container(
            f"c{self.number}", node, ports=ports, bindings=ports, labels=labels, memory=rng.choice((0, 2**30)), env=("PASSWORD=hunter2",)
        )  # fmt: skip

    def decide(self) -> Decision:
        rng = self.rng
        entries = ["constraint:disk==ssd", "constraint:zone!=~b", "constraint:disk==~tape", "affinity:container==~c*", "affinity:tier!=db",
                   "affinity:image==app:1", "affinity:image!=~app:2", "spread:zone", "spread:~zone", "whitelist:node==n1|n2|n3"]  # fmt: skip
        env = [*rng.sample(entries, rng.randint(0, 3)), "SECRET=hunter2"]
        host: dict[str, Any] = {"Memory": rng.choice((0, 2**30, 2**33))}
        if rng.random() < 0.3:
            host["PortBindings"] = {"80/tcp": [{"HostPort": rng.choice(("80", "81"))}]}
        if rng.random() < 0.2:
            host["Links"] = [f"c{rng.randint(1, max(self.number, 1))}"]
        if rng.random() < 0.1:
            host["NetworkMode"] = "net1"
        self.number += 1
        return decide(self.cluster, f"c{self.number}", Env=env, HostConfig=host)


@pytest.mark.parametrize("seed", range(10))
def test_each_decision_replays_to_the_same_answer_whatever_changed_since(seed: int) -> None:
    rng = random.Random(seed)
    world = World(rng, ("all", "one")[seed % 2])
    made = []
    for _ in range(20):
        for _ in range(rng.randint(0, 4)):
            world.change()
        made.append(world.decide())
    assert len(world.cluster.agent.decisions) == 20
    for decision in made:
        assert again(world.cluster, decision) == []
    assert {each.outcome for each in made} <= {"placing", "refused"}
    data = b"".join(record(world.cluster.agent, each, world.cluster.agent.decisions.past(each)) for each in made)
    assert b"hunter2" not in data


def test_a_replay_says_what_is_otherwise() -> None:
    cluster = paper()
    cluster.node("n1", labels={"disk": "ssd"})
    cluster.node("n2", labels={"disk": "hdd"})
    decision = decide(cluster, "web", Env=["constraint:disk==ssd"])
    data = json.loads(record(cluster.agent, decision, cluster.agent.decisions.past(decision)))
    data["nodes"][0]["node"]["labels"]["disk"], data["nodes"][1]["node"]["labels"]["disk"] = "hdd", "ssd"
    told = replay(json.dumps(data).encode()).differences
    assert told[0] == "chosen: n1 then, n2 now"
    assert "node n1: refused by: nobody then, constraint now" in told
    assert "node n1: score: 0 then, none now" in told
    assert "node n1: filter constraint: passed then, refused now" in told
    assert "node n1: spread: 0 (100 points, weight 1) then, none now" in told
    assert not [line for line in told if "Mark(" in line or "[(" in line or "-0.0" in line or "None" in line]


def test_the_answers_of_a_plugin_that_is_not_here_are_taken_from_the_record() -> None:
    cluster = paper()
    cluster.node("n1")
    cluster.node("n2")
    decision = decide(cluster, "web", Env=["constraint:node==n2"])
    text = record(cluster.agent, decision, cluster.agent.decisions.past(decision)).decode()
    renamed = text.replace('"constraint"', '"vanished"').replace('"spread"', '"gone"')
    again = replay(renamed.encode())
    assert again.differences == []
    assert again.taken == {"vanished": "it is not installed here", "gone": "it is not installed here"}


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"format": 2}', b"\xff"])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(RequestError, match="no recorded decision"):
        replay(data)


def test_a_record_brings_no_code_along(tmp_path: Path) -> None:
    cluster = paper()
    cluster.node("n1")
    decision = decide(cluster, "web")
    text = json.loads(record(cluster.agent, decision, cluster.agent.decisions.past(decision)))
    code, proof = tmp_path / "evil.py", tmp_path / "proof"
    code.write_text(f"open({str(proof)!r}, 'w')")
    text["rules"]["settings"]["plugins"]["spread"]["path"] = str(code)
    assert replay(json.dumps(text).encode()).differences == []
    assert not proof.exists()


@pytest.mark.parametrize("plugins", [5, [[]], None, {"spread": 5}])
def test_plugins_that_are_none_are_passed_over(plugins: object) -> None:
    cluster = paper()
    cluster.node("n1")
    decision = decide(cluster, "web")
    text = json.loads(record(cluster.agent, decision, cluster.agent.decisions.past(decision)))
    text["rules"]["settings"]["plugins"] = plugins
    assert "spread" in replay(json.dumps(text).encode()).taken


class Vault(Plugin):
    """A strategy that asks elsewhere."""

    class Settings(PluginSettings, frozen=True, kw_only=True):
        servers: tuple[dict[str, str], ...] = ()
        api_key: str = ""

    settings: Settings
    name = "vault"

    def score_nodes(self, query: PlacementQuery) -> Scores:
        return Scores([(1.0, query.nodes)])


def test_secrets_of_settings_are_not_recorded_however_deep() -> None:
    table = {"api_key": "hunter2", "servers": [{"url": "http://vault", "password": "hunter2"}]}
    cluster = PaperCluster(Vault, settings={"plugins": {"vault": table}})
    cluster.node("n1")
    decision = decide(cluster)
    text = record(cluster.agent, decision, cluster.agent.decisions.past(decision))
    assert b"http://vault" in text
    assert b"hunter2" not in text
