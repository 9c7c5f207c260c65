"""The agent's HTTP routes of the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from skep import RequestError
from skep_nginx.explain import explain

if TYPE_CHECKING:
    from skep_nginx.plugin import NginxPlugin

__all__ = ["add_routes"]


def add_routes(router: web.UrlDispatcher, plugin: NginxPlugin) -> None:
    """Below `/plugins/NAME/`: `status`, `explain?host=`, and `render`, the configuration as it would be or, with `live=1`, as it is."""

    async def status(request: web.Request) -> web.Response:
        return web.json_response(plugin.status())

    async def explained(request: web.Request) -> web.Response:
        host = request.query.get("host", "")
        if not host:
            raise RequestError("which host? ask for explain?host=www.example.com")
        return web.json_response(explain(host, plugin.work, plugin.agent.cluster.state))

    async def rendered(request: web.Request) -> web.Response:
        work = plugin.work
        if request.query.get("live") in ("1", "true"):
            found = work.applier.live
            if found is None:
                raise RequestError("nginx has no configuration of skep's yet", status=404)
        else:
            found = await work.applier.preview(work.picture.backends)
        return web.json_response(
            {"generation": found.generation, "live": found == work.applier.live, "text": found.text.decode("ascii")}
        )

    before = f"/plugins/{plugin.name}"
    router.add_get(f"{before}/status", status)
    router.add_get(f"{before}/explain", explained)
    router.add_get(f"{before}/render", rendered)
