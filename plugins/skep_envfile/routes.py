"""The agent's HTTP routes of the plugin."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

from skep import TemporaryError

if TYPE_CHECKING:
    from skep_envfile.keeper import Keeper
    from skep_envfile.plugin import EnvFilePlugin
    from skep_envfile.tracked import Tracked

__all__ = ["add_routes"]


def add_routes(router: web.UrlDispatcher, plugin: EnvFilePlugin) -> None:
    """Below `/plugins/NAME/`: `GET status`, and `POST refresh?file=NAME`, which asks anew at once; all files without `file`."""

    async def status(request: web.Request) -> web.Response:
        keeper = _keeper(plugin)
        return web.json_response({"files": [_view(keeper, each) for each in keeper.files.values()]})

    async def refresh(request: web.Request) -> web.Response:
        keeper = _keeper(plugin)
        refreshed = await keeper.refresh(request.query.getall("file", []))
        return web.json_response({"files": [_view(keeper, each) for each in refreshed]})

    before = f"/plugins/{plugin.name}"
    router.add_get(f"{before}/status", status)
    router.add_post(f"{before}/refresh", refresh)


def _keeper(plugin: EnvFilePlugin) -> Keeper:
    if plugin.keeper is None:
        raise TemporaryError(f"the plugin {plugin.name} has not started")
    return plugin.keeper


def _view(keeper: Keeper, each: Tracked) -> dict[str, Any]:
    actions = None if keeper.actions is None else asdict(keeper.actions.status(each.name))
    return {**each.describe(), "actions": actions}
