"""`PaperCluster`: nodes and containers that exist on paper only, to test where things would be placed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from skep.agent import Agent
from skep.cluster import ClusterState
from skep.hooks import Plugin
from skep.models import Container, ContainerState, Image, Node, NodeStatus
from skep.scheduler import NodeExplanation, Placement, PlacementError, PlacementRequest
from skep.settings import parse_settings

__all__ = ["PaperCluster"]


class PaperCluster:
    """A cluster without engines, for tests of filters and strategies; nothing in it needs to be awaited.

    ::

        cluster = PaperCluster(MyPlugin)
        cluster.node("n1", labels={"disk": "ssd"})
        assert cluster.fitting(Env=["constraint:disk==ssd"]) == ["n1"]

    `plugins` are classes or objects; `settings` is what a settings file would hold. Keyword arguments of its methods that ask for a
    placement are fields of a body of `POST /containers/create`.
    """

    def __init__(self, *plugins: type[Plugin] | Plugin, settings: Mapping[str, Any] | None = None) -> None:
        self.agent = Agent(parse_settings(settings or {}), plugins=plugins)

    @property
    def state(self) -> ClusterState:
        """The agent's state, to be changed at will."""
        return self.agent.cluster.state

    def node(self, name: str, *images: str, **fields: Any) -> Node:
        """Add a node, or change one: healthy, with 4 CPUs and 4 GiB, unless `fields` of `Node` say otherwise; with these images."""
        defaults: dict[str, Any] = {"id": f"ID-{name}", "status": NodeStatus.HEALTHY, "cpus": 4, "memory": 4 * 2**30}
        node = Node(name, f"tcp://{name}:2375", **{**defaults, **fields})
        self.state.put_node(node)
        if images:
            self.images(name, *(Image(f"sha256:{number:064x}", (tag,)) for number, tag in enumerate(images, 1)))
        return node

    def images(self, node: str, *images: Image) -> None:
        """Give a node exactly these images."""
        self.state.put_images(node, images)

    def container(self, name: str, node: str, **fields: Any) -> Container:
        """Put a running container on a node; its id is made from its name unless `fields` of `Container` bring one."""
        made = Container(name.encode().hex().ljust(64, "0")[:64], name, node, state=ContainerState.RUNNING)
        container = replace(made, **fields)
        self.state.put_container(container)
        return container

    def request(self, name: str = "", **body: Any) -> PlacementRequest:
        """A request that can be placed. Raises as `Agent.request`."""
        return self.agent.request(json.dumps({"Image": "busybox", **body}).encode(), name)

    def place(self, name: str = "", **body: Any) -> Placement:
        """Where a container would go. Raises as `Agent.place` and `Agent.request`."""
        return self.agent.place(self.request(name, **body))

    def chosen(self, name: str = "", **body: Any) -> str:
        """The name of the node where it would go. Raises as `place`."""
        node = self.place(name, **body).node
        assert node is not None
        return node.name

    def explain(self, name: str = "", **body: Any) -> dict[str, NodeExplanation]:
        """Each node's fate, by its name, whether or not any node fits."""
        try:
            rows = self.place(name, **body).explain()
        except PlacementError as error:
            rows = error.explanation
        return {row.node: row for row in rows}

    def fitting(self, name: str = "", **body: Any) -> list[str]:
        """The nodes that nothing refuses."""
        return [node for node, row in self.explain(name, **body).items() if not row.refused_by]

    def reason(self, node: str, **body: Any) -> str:
        """Why a node is refused; "" where it is not."""
        return self.explain(**body)[node].reason
