import json
import logging
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from skep.errors import (
    ConflictError,
    EngineError,
    EngineProtocolError,
    EngineTimeoutError,
    EngineUnreachableError,
    ExpressionError,
    NotFoundError,
    RequestError,
    SettingsError,
    TemporaryError,
)
from skep.http import HttpServer, error_middleware

Serve = Callable[..., Awaitable[HttpServer]]


async def answer(serve: Serve, error: BaseException) -> tuple[int, object, aiohttp.ClientResponse]:
    async def handler(_: web.Request) -> web.Response:
        raise error

    server = await serve(handler)
    async with (
        aiohttp.ClientSession() as session,
        session.get(server.urls[0].replace("tcp", "http"), allow_redirects=False) as response,
    ):
        assert response.content_type == "application/json"
        return response.status, await response.json(), response


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestError("bad"), 400),
        (RequestError("teapot", status=418), 418),
        (NotFoundError("No such container: x"), 404),
        (ConflictError("name taken"), 409),
        (EngineError(409, "container x is not running"), 409),
        (EngineError(302, "moved"), 502),
        (EngineProtocolError("engine tcp://n1:2375: garbage"), 502),
        (EngineUnreachableError("engine tcp://n1:2375: cannot connect"), 503),
        (EngineTimeoutError("engine tcp://n1:2375: no answer in time"), 504),
        (SettingsError("x"), 500),
        (web.HTTPForbidden(text="no"), 403),
    ],
)
async def test_an_error_has_dockers_shape(error: Exception, status: int, serve: Serve) -> None:
    expected = error.text if isinstance(error, web.HTTPForbidden) else str(error)
    assert (await answer(serve, error))[:2] == (status, {"message": expected})


async def test_an_expression_is_the_clients_mistake(serve: Serve) -> None:
    assert (await answer(serve, ExpressionError("a=", 2, "a value")))[0] == 400


async def test_a_wish_when_to_come_back_is_told(serve: Serve) -> None:
    status, _, response = await answer(serve, TemporaryError("later", delay=1.2))
    assert (status, response.headers["Retry-After"]) == (503, "2")


async def test_text_that_is_no_unicode_is_told_all_the_same(serve: Serve) -> None:
    assert (await answer(serve, RequestError("bad \udcff")))[:2] == (400, {"message": "bad ?"})


async def test_the_unexpected_is_logged_and_kept_from_the_client(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    status, body, _ = await answer(serve, ZeroDivisionError("password=hunter2"))
    assert (status, "hunter2" in json.dumps(body)) == (500, False)
    assert "ZeroDivisionError" in caplog.text


async def test_an_answer_that_had_begun_is_cut_off(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise EngineUnreachableError("engine tcp://n1:2375: the connection broke")

    server = await serve(handler)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientPayloadError):
            async with session.get(server.urls[0].replace("tcp", "http")) as response:
                await response.read()
    assert [record.levelno for record in caplog.records if record.name.startswith("skep")] == [logging.WARNING]


async def test_no_route_looks_like_an_engines_answer() -> None:
    app = web.Application(middlewares=[error_middleware])

    async def info(_: web.Request) -> web.Response:
        raise AssertionError

    app.router.add_get("/info", info)
    async with HttpServer(app, ["127.0.0.1:0"]) as server, aiohttp.ClientSession() as session:
        url = server.urls[0].replace("tcp", "http")
        async with session.get(f"{url}/nothing") as response:
            assert (response.status, list(await response.json())) == (404, ["message"])
        async with session.post(f"{url}/info") as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")
