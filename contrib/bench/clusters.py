"""Clusters that exist on paper only, as varied as in life: to measure decisions without engines.

Distinct names, 20 images of which a node has some, labels as compose writes them, five sizes of memory, published ports, three
racks in each of four zones.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from skep import Agent, ClusterState, Container, Image, Node, NodeStatus, PlacementRequest, parse_settings
from skep.scheduler import Scheduler

__all__ = ["FILTERS", "IMAGES", "SERVICES", "SIZES", "fill", "make_agent", "make_node", "requests", "scheduler"]

FILTERS = ("health", "port", "slots", "dependency", "affinity", "constraint", "topology")
IMAGES = [f"registry.example/team{n % 4}/service{n}" for n in range(20)]
SERVICES = ["web", "api", "worker", "db", "cache", "queue", "search", "mail", "cron", "proxy"]
SIZES = [2**20 * size for size in (32, 64, 128, 256, 512)]  # of memory, in bytes


def make_agent(nodes: int = 0, containers: int = 30, strategy: str = "spread") -> Agent:
    """An agent that knows so many nodes, without any engine."""
    agent = Agent(parse_settings({"plugins": {name: {} for name in (*FILTERS, strategy)}}))
    for record in agent.plugins._records.values():
        record.start()  # as it is while the agent runs
    fill(agent.cluster.state, nodes, containers)
    return agent


def scheduler(state: ClusterState, strategy: str) -> Scheduler:
    """Another strategy over a state that is there."""
    plugins = make_agent(strategy=strategy).plugins
    return Scheduler(state, plugins.rules("filter_nodes"), plugins.rules("score_nodes"))


def fill(state: ClusterState, nodes: int, containers: int) -> None:
    """Put so many nodes into a state, and so many containers on each, give or take a sixth."""
    rng = random.Random(nodes)
    images = [Image(id=digest("image", name), tags=(f"{name}:1.{n}",)) for n, name in enumerate(IMAGES)]
    for number in range(nodes):
        node = make_node(number)
        state.put_node(node)
        held = rng.sample(range(1, len(images)), 8)
        state.put_images(node.name, [images[0], *(images[each] for each in held)])
        spare = containers // 6
        for each in range(containers + rng.randint(-spare, spare)):
            state.put_container(Container.from_inspect(inspected(rng, number, each), node.name))


def make_node(number: int) -> Node:
    """The node of that number."""
    labels = {
        "disk": "ssd" if number % 2 else "hdd",
        "zone": f"zone-{number % 4}",
        "rack": f"rack-{number % 4}-{number // 4 % 3}",
        "host": f"node{number}.example",
    }
    return Node(
        f"node{number}",
        f"tcp://10.0.0.1:{number}",
        id=digest("node", number)[:40],
        status=NodeStatus.HEALTHY,
        labels=labels,
        cpus=64,
        memory=2**38,
    )


def inspected(rng: random.Random, node: int, number: int) -> bytes:
    """A container, as its engine inspects it."""
    service = SERVICES[(node + number) % len(SERVICES)]
    labels = {
        "com.docker.compose.project": f"shop{node % 7}",
        "com.docker.compose.service": service,
        "com.docker.swarm.id": digest("swarm", node, number),
        "tier": "db" if service in ("db", "cache") else "web",
        "version": f"1.{rng.randrange(40)}",
    }
    published = {"80/tcp": [{"HostIp": "", "HostPort": str(8000 + number)}]} if number % 2 else {}
    host = {"Memory": rng.choice(SIZES), "NanoCpus": 10**8 * rng.randrange(4), "PortBindings": published}
    body = {
        "Id": digest("container", node, number),
        "Name": f"/shop{node % 7}-{service}-{node}-{number}",
        "Created": "2026-01-02T03:04:05.6Z",
        "State": {"Status": "running", "Running": True, "StartedAt": "2026-01-02T03:04:05.6Z"},
        "Config": {"Image": rng.choice(IMAGES), "Labels": labels, "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}},
        "HostConfig": {**host, "NetworkMode": "default"},
        "NetworkSettings": {"Ports": published},
    }
    return msgspec.json.encode(body)


def digest(*parts: object) -> str:
    """64 hexadecimal digits of their own for these parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def requests(agent: Agent, bodies: Sequence[Mapping[str, Any]]) -> list[tuple[bytes, str, PlacementRequest]]:
    """Each body as the API gets it, with a name of its own, and as it is read."""
    read = []
    for number, body in enumerate(bodies):
        data = msgspec.json.encode({"Image": IMAGES[number % len(IMAGES)], **body})
        name = f"new-{number}"
        read.append((data, name, agent.request(data, name)))
    return read
