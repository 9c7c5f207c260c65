"""The container of nginx, made where there is none, and started where it stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from skep import Cluster, Container, ContainerState, EngineError, NodeState, TemporaryError
from skep_nginx.settings import ContainerSettings
from skep_nginx.settings.places import parse_published

__all__ = ["Maker", "until_running"]

_PULL_TIMEOUT = 600.0
_NAME = "skep-nginx"


class _Created(msgspec.Struct, rename="pascal"):
    id: str


class Maker:
    """Makes it on one node, by the settings' image, with their ports and networks."""

    def __init__(self, settings: ContainerSettings) -> None:
        self._settings = settings

    async def make(self, cluster: Cluster, there: Container | None) -> None:
        """Start the one that is `there`, or make one and start it. Raises TemporaryError, with what its engine says."""
        node = self._node(cluster, there)
        engine = cluster.engine(node.node.name)
        try:
            id_ = there.id if there is not None else await self._create(cluster, node.node.name)
            if there is not None and there.state is ContainerState.PAUSED:
                await engine.call("POST", f"/containers/{id_}/unpause")
            else:
                await engine.call("POST", f"/containers/{id_}/start")
        except EngineError as error:
            raise TemporaryError(f"cannot make a container of {self._settings.image} for nginx: {error}") from None

    def _node(self, cluster: Cluster, there: Container | None) -> NodeState:
        wanted = there.node if there is not None else self._settings.node
        healthy = [node for node in cluster.state.nodes if node.node.is_healthy and wanted in ("", node.name)]
        if not healthy:
            raise TemporaryError(f"the node {wanted} of nginx does not answer" if wanted else "no node answers")
        if len(healthy) > 1:
            raise TemporaryError(
                "nginx has no container, and there are several nodes to make it on: set container.node of plugin nginx"
            )
        return healthy[0]

    async def _create(self, cluster: Cluster, node: str) -> str:
        engine, query = cluster.engine(node), {"name": self._settings.name or _NAME}
        for is_last in (False, True):
            try:
                answer = await engine.call("POST", "/containers/create", query=query, json=self._body())
                return msgspec.json.decode(answer, type=_Created).id
            except EngineError as error:
                if error.status != 404 or is_last:
                    raise
            name, _, tag = self._settings.image.partition("@")[0].rpartition(":")
            image = {"fromImage": self._settings.image, **({} if name and "/" not in tag else {"tag": "latest"})}
            await engine.call("POST", "/images/create", query=image, timeout=_PULL_TIMEOUT)
        raise AssertionError("the second time returns or raises")

    def _body(self) -> dict[str, Any]:
        own = self._settings
        published: dict[str, list[dict[str, str]]] = {}
        for text in own.publish:
            ip, public, private = parse_published(text)
            published.setdefault(private, []).append({"HostIp": ip, "HostPort": public})
        body: dict[str, Any] = {
            "Image": own.image,
            "Labels": {own.label: ""},
            "ExposedPorts": {port: {} for port in published},
            "HostConfig": {"PortBindings": published, "RestartPolicy": {"Name": "unless-stopped"}},
        }
        if own.network:
            body["HostConfig"]["NetworkMode"] = own.network
        return body


async def until_running(found: Callable[[], Container | None], seconds: float = 5.0) -> Container | None:
    """Wait until `found()` gives something, as the state learns of it; None when it does not."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while (what := found()) is None and loop.time() < deadline:  # noqa: ASYNC110 - the state wakes nobody
        await asyncio.sleep(0.02)
    return what
