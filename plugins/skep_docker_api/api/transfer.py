"""Images that come: pull, import and load, on all nodes that answer at the same time."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from skep import Engine, RequestError, SkepError
from skep_docker_api.choice import any_engine, constrained_nodes
from skep_docker_api.fanout import Branch, fan_out
from skep_docker_api.forward import engine_version, forward, headers_upward
from skep_docker_api.nodes import healthy_nodes
from skep_docker_api.progress import Progress, json_lines, raise_for_status
from skep_docker_api.refreshing import refresh_list, when_changed
from skep_docker_api.routing import Handler, agent_of, plugin_of

__all__ = ["ROUTES"]

_HEADER = "X-Skep-Constraint"
_log = logging.getLogger("skep.plugins.docker_api")


async def create(request: web.Request) -> web.StreamResponse:
    """`docker pull` and `docker import`."""
    query = request.query
    if source := query.get("fromSrc"):
        return await _on_all(request, "/images/create", "", upload=source == "-")
    image, tag = query.get("fromImage", ""), query.get("tag", "")
    if not image:
        raise RequestError("expected fromImage=NAME (pull) or fromSrc=- (import)")
    reference = image + (f"@{tag}" if ":" in tag else f":{tag}" if tag else "")
    return await _on_all(request, "/images/create", f"Pulling {reference}...", upload=False)


async def load(request: web.Request) -> web.StreamResponse:
    """`docker load`. What is loaded is told once more at the end, in an engine's own words, which clients look for."""
    return await _on_all(request, "/images/load", "Loading Image...", upload=True, sum_up=True)


async def _on_all(
    request: web.Request, path: str, title: str, *, upload: bool, sum_up: bool = False
) -> web.StreamResponse:
    agent = agent_of(request)
    only = any_engine(agent)  # there is one at least
    if len(agent.cluster.state.nodes) == 1 and not _constraints(request):
        return await _on_only(request, only, healthy_nodes(agent)[0].name, path)
    nodes = constrained_nodes(agent, _constraints(request))
    progress, errors, loaded = Progress(request), dict[str, str](), dict[str, None]()
    branches = {node: Branch(node) for node in nodes} if upload else {}

    async def one(node: str) -> None:
        branch = branches.get(node)
        try:
            async with agent_of(request).pending.on(node, title or path):
                await _one(request, progress, node, path, title, branch, loaded)
        except SkepError as error:
            errors[node] = str(error)
            await progress.add({"status": f"{title} : {error}".removeprefix(" : "), "id": node})
        finally:
            if branch is not None:
                branch.close()

    async with asyncio.TaskGroup() as group:
        for node in nodes:
            group.create_task(one(node), name=f"{path} on {node}")
        if upload:
            await fan_out(request.content.iter_any(), branches.values())
    if errors:
        _log.warning("%s failed on %s", path, "; ".join(f"{node}: {error}" for node, error in errors.items()))
    if sum_up:
        for text in loaded:
            await progress.add({"stream": f"{text}\n"})
    return await progress.finish({node: errors[node] for node in nodes if node in errors})


def _constraints(request: web.Request) -> list[str]:
    """Which nodes are wanted: by the query (`constraint=storage==ssd`) or a header, as often as there are constraints; else by the setting."""
    asked = [*request.query.getall("constraint", []), *request.headers.getall(_HEADER, [])]
    return asked or list(plugin_of(request).settings.pull_constraints)


async def _on_only(request: web.Request, engine: Engine, node: str, path: str) -> web.StreamResponse:
    """Where there is one node, its answer is the client's: with the engine's own statuses and lines of progress."""
    async with agent_of(request).pending.on(node, path):
        return await forward(request, engine, path, on_end=when_changed(agent_of(request), node, "images"))


async def _one(
    request: web.Request,
    progress: Progress,
    node: str,
    path: str,
    title: str,
    branch: Branch | None,
    loaded: dict[str, None],
) -> None:
    """One node's part. Raises EngineError and TemporaryError."""
    agent = agent_of(request)
    engine = agent.cluster.engine(node)
    if title and branch is None:
        await progress.add({"status": title, "id": node})
    async with engine.stream(
        "POST",
        path,
        query=request.rel_url.raw_query_string,
        headers=headers_upward(request, own_body=True),
        data=branch,
        version=await engine_version(request, engine),
    ) as answer:
        await raise_for_status(answer)
        async for line in json_lines(answer):
            text = str(line.get("stream") or "").strip()
            if text.startswith("Loaded image"):
                loaded[text] = None
            await progress.add_from(node, title, line)
    await refresh_list(agent, node, "images")


ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/images/create", create),
    ("POST", "/images/load", load),
]
