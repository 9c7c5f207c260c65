"""Prune, on all nodes that answer: what each of them removed, as one answer."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from aiohttp import web

from skep import Engine, SkepError
from skep_docker_api.answers import failure, unique
from skep_docker_api.container_calls import refresh_all
from skep_docker_api.nodes import ask_all, healthy_nodes
from skep_docker_api.queries import json_answer
from skep_docker_api.refreshing import What, refresh_list
from skep_docker_api.routing import Handler, agent_of, plugin_of

__all__ = ["ROUTES"]

_SECONDS = 120.0


@dataclass(frozen=True)
class _Kind:
    """What can be pruned: `key` is the list in an answer, `what` is read again after it, `local`: names are of one node alone."""

    subject: str
    key: str
    what: What | None = None
    local: bool = False
    empty: tuple[()] | None = None
    has_size: bool = True


_KINDS = (
    _Kind("containers", "ContainersDeleted"),
    _Kind("images", "ImagesDeleted", "images"),
    _Kind("networks", "NetworksDeleted", "networks", local=True, has_size=False),
    _Kind("volumes", "VolumesDeleted", "volumes", local=True, empty=()),
    _Kind("build", "CachesDeleted"),
)


class _Pruned(msgspec.Struct):
    """An engine's answer; just one of the lists is there."""

    containers: list[str] | None = msgspec.field(name="ContainersDeleted", default=None)
    images: list[dict[str, str]] | None = msgspec.field(name="ImagesDeleted", default=None)
    networks: list[str] | None = msgspec.field(name="NetworksDeleted", default=None)
    volumes: list[str] | None = msgspec.field(name="VolumesDeleted", default=None)
    build: list[str] | None = msgspec.field(name="CachesDeleted", default=None)
    space: int = msgspec.field(name="SpaceReclaimed", default=0)

    def removed(self, subject: str) -> list[str | dict[str, str]]:
        """What was removed, [] for null."""
        return getattr(self, subject) or []


def _pruning(kind: _Kind) -> Handler:
    async def prune(request: web.Request) -> web.StreamResponse:
        agent, query = agent_of(request), request.rel_url.raw_query_string
        names_nodes = kind.local and plugin_of(request).shows_nodes

        async def ask(node: str, engine: Engine) -> _Pruned:
            body = await engine.call("POST", f"/{kind.subject}/prune", query=query, timeout=_SECONDS)
            pruned = msgspec.json.decode(body, type=_Pruned)
            if kind.what is not None:
                await refresh_list(agent, node, kind.what)
            elif pruned.containers:
                await refresh_all(agent, node, pruned.containers)
            return pruned

        answers = await ask_all(agent, healthy_nodes(agent), ask)
        done = {node: answer for node, answer in answers.items() if isinstance(answer, _Pruned)}
        errors = {node: answer for node, answer in answers.items() if isinstance(answer, SkepError)}
        if errors and not done:
            raise failure(errors, several=len(errors) > 1)
        for node, error in errors.items():
            plugin_of(request).log.warning("%s prune on node %s: %s", kind.subject, node, error)
        removed = [
            f"{node}/{each}" if names_nodes else each for node in done for each in done[node].removed(kind.subject)
        ]
        total = {kind.key: unique(removed) or kind.empty}
        return json_answer(
            total | ({"SpaceReclaimed": sum(each.space for each in done.values())} if kind.has_size else {})
        )

    return prune


ROUTES: list[tuple[str, str, Handler]] = [("POST", f"/{kind.subject}/prune", _pruning(kind)) for kind in _KINDS]
