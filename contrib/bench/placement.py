"""Placements per second, by rule and by the cluster's size: each node has about 30 containers, and each placement is reserved and released.

Seconds are those of this process's CPU time, so that others on the machine disturb little.

    .venv/bin/python contrib/bench/placement.py [--nodes 10,100,1000] [--runs 5] [--seconds 0.5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from skep import Agent, Container, ContainerState, Image, Node, NodeStatus, PlacementRequest, Port, parse_settings

PLUGINS = ("health", "port", "dependency", "affinity", "constraint", "spread")
CONTAINERS = 30

Body = dict[str, Any]
PUBLISHED = {"PortBindings": {"80/tcp": [{"HostPort": "8031"}]}}
CASES: dict[str, Body] = {
    "no rule": {},
    "constraint": {"Env": ["constraint:disk==ssd"]},
    "constraint, glob": {"Env": ["constraint:disk==s*"]},
    "constraint, node": {"Env": ["constraint:node!=node3"]},
    "affinity, glob": {"Env": ["affinity:container!=*redis7*"]},
    "affinity, label": {"Env": ["affinity:tier!=db"]},
    "affinity, image": {"Env": ["affinity:image==nginx"]},
    "port": {"HostConfig": PUBLISHED},
    "memory and CPUs": {"HostConfig": {"Memory": 2**20, "CpuShares": 1}},
    "link": {"HostConfig": {"Links": ["web-3-3:web"]}},
    "all": {
        "Env": [
            "constraint:disk==s*",
            "constraint:node!=node3",
            "affinity:container!=*redis7*",
            "affinity:image==nginx",
        ],
        "HostConfig": {**PUBLISHED, "Memory": 2**20, "CpuShares": 1},
    },
}


def make_agent(nodes: int) -> Agent:
    """An agent that knows so many nodes, without any engine."""
    agent = Agent(parse_settings({"plugins": {name: {} for name in PLUGINS}}))
    state = agent.cluster.state
    for n in range(nodes):
        labels = {"disk": "ssd" if n % 2 else "hdd", "zone": f"z{n % 7}"}
        node = Node(
            f"node{n}",
            f"tcp://10.0.0.1:{n}",
            id=f"ID{n}",
            status=NodeStatus.HEALTHY,
            labels=labels,
            cpus=64,
            memory=2**38,
        )
        state.put_node(node)
        state.put_images(
            node.name,
            [Image(f"sha256:{i:064x}", (f"{name}:latest",)) for i, name in enumerate(("nginx", "redis", "app"))],
        )
        for c in range(CONTAINERS - 5 + n % 11):
            state.put_container(
                Container(
                    f"{n:032x}{c:032x}",
                    f"redis{n}" if c == 0 else f"web-{n}-{c}",
                    node.name,
                    image="nginx",
                    state=ContainerState.RUNNING,
                    labels={
                        "tier": "db" if n % 3 == 0 and c == 0 else "web",
                        "com.docker.swarm.id": f"{c:032x}{n:032x}",
                    },
                    bindings=(Port(80, "tcp", 8000 + c),),
                    ports=(Port(80, "tcp", 8000 + c),),
                    memory=2**25 * (1 + (7 * n + 3 * c) % 16),
                )
            )
    return agent


def measure(call: Callable[[], object], seconds: float) -> float:
    """Calls per second of CPU time."""
    number, began = 0, time.process_time()
    while (took := time.process_time() - began) < seconds:
        call()
        number += 1
    return number / took


def rate(agent: Agent, body: Mapping[str, Any], seconds: float) -> float:
    request: PlacementRequest = agent.request(json.dumps({"Image": "nginx", **body}).encode())

    def place() -> None:
        with agent.scheduler.reserve(request):
            pass

    place()
    return measure(place, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", default="10,100,1000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3)
    options = parser.parse_args()
    sizes = [int(size) for size in options.nodes.split(",")]
    agents = [make_agent(size) for size in sizes]
    print(f"placements per second, median of {options.runs} runs; about {CONTAINERS} containers on each node")
    print("".join([f"{'':18}", *(f"{size:>9} nodes" for size in sizes)]))
    for name, body in CASES.items():
        rates = [statistics.median(rate(a, body, options.seconds) for _ in range(options.runs)) for a in agents]
        print("".join([f"{name:18}", *(f"{each:15,.0f}" for each in rates)]))
    data = json.dumps({"Image": "nginx", **CASES["all"]}).encode()
    print(f"{'reading a request':18}{measure(lambda: agents[0].request(data, 'web'), options.seconds):15,.0f}")


if __name__ == "__main__":
    main()
