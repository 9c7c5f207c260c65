"""The page about the HTTP API names every route, and every key that an explanation or a decision has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

import skep.control
from skep.control import add_routes

PAGE = (Path(skep.control.__file__).parent / "README.md").read_text()
NAMED = set(re.findall(r"`(?:GET |POST )?([^`]+)`", PAGE))


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from keys(each)


async def test_it_names_every_key(serve: Any) -> None:
    served = await serve()
    create = {"Image": "x", "Env": ["constraint:public==yes"]}
    _, explained = await served.ask("POST", "/explain", json=create)
    await served.agent.create_container(
        served.agent.request(b'{"Image": "busybox:latest", "Env": ["constraint:public==yes"]}')
    )
    _, made = await served.ask("GET", "/decisions")
    _, shown = await served.ask("GET", f"/decisions/{made[0]['id']}")
    assert {"filters", "scores", "outcome"} <= set(keys(shown))
    assert set(keys([explained, made, shown])) <= NAMED


async def test_it_names_every_route(serve: Any) -> None:
    app = web.Application()
    add_routes(app, (await serve()).agent)
    paths = {route.resource.canonical.replace("{id}", "ID") for route in app.router.routes() if route.resource}
    assert {"/health", "/explain", "/decisions/ID/snapshot"} <= paths
    assert paths <= NAMED
