"""The agent's HTTP routes of the plugin."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from skep import NodeState, NotFoundError, RequestError, read_body
from skep_maintenance.drains import Drain

if TYPE_CHECKING:
    from skep_maintenance import MaintenancePlugin

__all__ = ["add_routes"]

_MOST_BODY = 2**16
_NAMES_SHOWN = 100
_LONGEST = 10 * 365 * 86400  # seconds
T = TypeVar("T", bound=msgspec.Struct)


class _Activate(msgspec.Struct, forbid_unknown_fields=True):
    node: str


class _Drain(msgspec.Struct, forbid_unknown_fields=True):
    node: str
    reason: str = ""
    by: str = ""
    seconds: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST)] = 0.0


def add_routes(router: web.UrlDispatcher, plugin: MaintenancePlugin) -> None:
    """Below `/plugins/NAME/`: `GET nodes`; `POST drain`, with node, reason, by and seconds, and `POST activate`, with node, as JSON."""

    async def nodes(request: web.Request) -> web.Response:
        return web.json_response(_rows(plugin))

    async def drain(request: web.Request) -> web.Response:
        asked = await _read(request, _Drain)
        now = time.time()
        try:
            made = Drain(
                node=asked.node,
                reason=asked.reason,
                by=asked.by,
                since=now,
                until=now + asked.seconds if asked.seconds else 0.0,
            )
        except ValueError as error:
            raise RequestError(str(error)) from None
        kept = await plugin.drains.put(made)
        plugin.log.info("node %s is %s", kept.node, kept)
        return web.json_response(_row(plugin, kept.node))

    async def activate(request: web.Request) -> web.Response:
        name = (await _read(request, _Activate)).node
        if name not in plugin.drains.current and plugin.agent.cluster.state.get_node(name) is None:
            raise NotFoundError(f"no node {name[:100]!r} is known, nor is one of that name drained")
        ended = await plugin.drains.remove(name)
        if ended is not None:
            plugin.log.info("node %s is active again; it was %s", name, ended)
        return web.json_response({**_row(plugin, name), "was_drained": ended is not None})

    before = f"/plugins/{plugin.name}"
    router.add_get(f"{before}/nodes", nodes)
    router.add_post(f"{before}/drain", drain)
    router.add_post(f"{before}/activate", activate)


async def _read(request: web.Request, kind: type[T]) -> T:
    body = await read_body(request, _MOST_BODY)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RequestError(f"{error}") from None


def _rows(plugin: MaintenancePlugin) -> list[dict[str, Any]]:
    """All nodes, then the drained ones that are not there."""
    state = plugin.agent.cluster.state
    away = sorted(name for name in plugin.drains.current if state.get_node(name) is None)
    return [_row(plugin, name) for name in (*(node.name for node in state.nodes), *away)]


def _row(plugin: MaintenancePlugin, name: str) -> dict[str, Any]:
    state, drain = plugin.agent.cluster.state.get_node(name), plugin.drains.current.get(name)
    up = [] if state is None else _up(state)
    return {
        "node": name,
        "known": state is not None,
        "status": "" if state is None else str(state.node.status),
        "drain": None if drain is None else msgspec.to_builtins(drain),
        "text": "" if drain is None else str(drain),
        "containers": 0 if state is None else len(state.containers),
        "running": len(up),
        "names": up[:_NAMES_SHOWN],
    }


def _up(state: NodeState) -> list[str]:
    return sorted(each.name or each.short_id for each in state.containers.values() if each.state.is_up)
